// Programs that a part of the tests needs and npm does not bring. Without one, its tests are left out
// and say so; with CI=true they fail, because CI must run everything.

import { spawnSync } from 'node:child_process'

/** Debian's own: only this one has the modules that Debian packages. */
export const debianPython = '/usr/bin/python3'

/** Packages that bring no command: a Python module, by the package that has it. */
const modules: Readonly<Record<string, string>> = { 'python3-kafka': 'kafka' }

/**
 * Whether the tests that need `tool` can run here, which Debian has in `debianPackage`. Throws with
 * CI=true when they cannot.
 */
export function hasTool(tool: string, debianPackage = tool): boolean {
  if (isInstalled(tool)) return true
  const how = `${tool} is missing: on Debian or Ubuntu, sudo apt-get install ${debianPackage}`
  if (process.env.CI === 'true') throw new Error(how)
  console.warn(`left out: ${how}`)
  return false
}

function isInstalled(tool: string): boolean {
  const module = modules[tool]
  if (module === undefined) return spawnSync('which', [tool]).status === 0
  return spawnSync(debianPython, ['-c', `import ${module}`]).status === 0
}
