// Programs that a part of the tests needs and npm does not bring. Without one, its tests are left
// out and say so; with CI=true they fail, because CI must run everything.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's own: only this one has the modules that Debian packages. */
export const debianPython = '/usr/bin/python3'

const root = join(import.meta.dirname, '..')
/** Where .ci/setup.mjs puts packages of npm's that are no part of the project. */
const npmTools = join(root, 'node_modules/.cache/npm')
/** Where .ci/setup.mjs puts packages of Python's index; package.json names the versions. */
const pythonPackages = join(root, 'node_modules/.cache/python')

/** The environment in which Debian's Python finds such a package. */
export function pythonEnvironment(packageName: string) {
  return { ...process.env, PYTHONPATH: join(pythonPackages, packageName) }
}

/** The environment in which Debian's Python finds confluent-kafka. */
export const confluentEnvironment = pythonEnvironment('confluent-kafka')

/** Packages that bring no command: a Python module, by the package that has it. */
const modules: Readonly<Record<string, string>> = {
  'python3-kafka': 'kafka',
  'confluent-kafka': 'confluent_kafka',
  schemathesis: 'schemathesis',
  'openapi-spec-validator': 'openapi_spec_validator',
}

/** How to get what Debian does not package. */
const withPip = '`npm test` installs it when pip is there (on Debian: python3-pip)'
const otherWays: Readonly<Record<string, string>> = {
  'confluent-kafka': withPip,
  schemathesis: withPip,
  'openapi-spec-validator': withPip,
}

/**
 * Whether the tests that need `tool` can run here, which Debian has in `debianPackage`. Throws with
 * CI=true when they cannot.
 */
export function hasTool(tool: string, debianPackage = tool): boolean {
  if (isInstalled(tool)) return true
  const way = otherWays[tool] ?? `on Debian or Ubuntu, sudo apt-get install ${debianPackage}`
  const how = `${tool} is missing: ${way}`
  if (process.env.CI === 'true') throw new Error(how)
  console.warn(`left out: ${how}`)
  return false
}

function isInstalled(tool: string): boolean {
  const module = modules[tool]
  if (module === undefined) return spawnSync('which', [tool]).status === 0
  const environment = { env: pythonEnvironment(tool) }
  return spawnSync(debianPython, ['-c', `import ${module}`], environment).status === 0
}

/**
 * The executables of the versions of Node that a package is tested with beside this one: those that
 * `npm test` names as NODE@VERSION. Without them, only the Node of the tests; with CI=true, they
 * must be there.
 */
export function otherNodes(): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const tools: string[] = /--tools (\S+)/.exec(manifest.scripts.test)![1]!.split(',')
  const names = tools.filter((name) => name.startsWith('node@'))
  const executable = (name: string) => join(npmTools, name, 'node_modules/node/bin/node')
  return names.flatMap((name) =>
    isThere(executable(name), `${name} is missing: \`npm test\` installs it`)
      ? [executable(name)]
      : [],
  )
}

/** Whether TypeDoc is there, for the reference pages. */
export function hasTypedoc(): boolean {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [name] = /typedoc@[\d.]+/.exec(manifest.scripts.docs)!
  return isThere(join(npmTools, name), `${name} is missing: \`npm test\` installs it`)
}

function isThere(path: string, how: string): boolean {
  if (existsSync(path)) return true
  if (process.env.CI === 'true') throw new Error(how)
  console.warn(`left out: ${how}`)
  return false
}
