// Programs that some tests need and npm does not install. Without a program, its tests are skipped
// with a message; with CI=true they fail, because CI must run everything.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's own Python: only this one has the modules that Debian packages. */
export const debianPython = '/usr/bin/python3'

const root = join(import.meta.dirname, '..')
/** Where .ci/setup.mjs installs npm packages that are not dependencies of the project. */
const npmTools = join(root, 'node_modules/.cache/npm')
/** Where .ci/setup.mjs installs packages from PyPI; package.json names the versions. */
const pythonPackages = join(root, 'node_modules/.cache/python')

/** Returns the environment in which Debian's Python finds a package from PyPI. */
export function pythonEnvironment(packageName: string) {
  return { ...process.env, PYTHONPATH: join(pythonPackages, packageName) }
}

/** The environment in which Debian's Python finds confluent-kafka. */
export const confluentEnvironment = pythonEnvironment('confluent-kafka')

/** Packages without a command, each with its Python module. */
const modules: Readonly<Record<string, string>> = {
  'python3-kafka': 'kafka',
  'confluent-kafka': 'confluent_kafka',
  schemathesis: 'schemathesis',
  'openapi-spec-validator': 'openapi_spec_validator',
}

/** How to install tools that Debian does not package. */
const withPip = '`npm test` installs it when pip is there (on Debian: python3-pip)'
const otherWays: Readonly<Record<string, string>> = {
  'confluent-kafka': withPip,
  schemathesis: withPip,
  'openapi-spec-validator': withPip,
}

/**
 * Returns whether `tool`, which Debian has in `debianPackage`, is installed here. Throws with
 * CI=true if it is not.
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
 * Returns the executables of further versions of Node that the package is tested with: those that
 * `npm test` names as NODE@VERSION. A missing version is left out; with CI=true it is an error.
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

/** Returns whether TypeDoc is installed, for the reference pages. */
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
