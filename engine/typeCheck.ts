// Has the TypeScript compiler look at a job module before it runs, when one is installed where the
// module is or here, with Node's types. Running needs no compiler, so without one nothing is said.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeDisk } from '../protocol/runtime/nodeDisk.ts'
import { howToInstall } from './contract/ownEntry.ts'
import { EngineError } from './engineError.ts'
import { pathOf } from './modulePath.ts'

const flags = [
  '--noEmit',
  '--ignoreConfig',
  '--strict',
  '--skipLibCheck',
  '--target es2024',
  '--module nodenext',
  '--erasableSyntaxOnly',
  '--allowImportingTsExtensions',
  '--pretty false',
]
/** Of the compiler's complaints, in the message. */
const shownErrors = 5
const mostPrintedChars = 1_000_000
const ownSources = fileURLToPath(new URL('..', import.meta.url))

/**
 * Throws JOB_TYPE_ERROR with the first errors of the module and of what it imports. What is no file is left
 * to the import, which says so.
 */
export async function requireTypes(module: URL | string): Promise<void> {
  const file = pathOf(module)
  if (!/\.[cm]?ts$/.test(file) || (await nodeDisk.stat(file)) === undefined) return
  const compiler = findPackage('typescript', file)
  const nodeTypes = findPackage('@types/node', file)
  if (compiler === undefined || nodeTypes === undefined) return
  const types = ['--types', 'node', '--typeRoots', dirname(nodeTypes)]
  const printed = await compile(join(compiler, 'bin', 'tsc'), types, file)
  const errors = errorsIn(printed).filter((error) => isTheirs(error, file))
  if (errors.length === 0) return
  const shown = errors.slice(0, shownErrors).join('\n  ')
  const more = errors.length > shownErrors ? `\n  and ${errors.length - shownErrors} more` : ''
  const isWithoutMillrace = errors.some((error) => /TS2307: .*'millrace\//.test(error))
  const remedy = isWithoutMillrace ? `\n${file} ${howToInstall()}` : ''
  throw new EngineError('JOB_TYPE_ERROR', `the job's types do not fit: ${shown}${more}${remedy}`)
}

/** The folder of a package, as the module sees it or as we do. */
function findPackage(name: string, file: string): string | undefined {
  for (const from of [pathToFileURL(file).href, import.meta.url]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  return undefined
}

/** Lines of one error, beyond the first, in the message. */
const shownDetails = 4

/** Each error of the compiler, with the indented lines that explain it. */
function errorsIn(printed: string): string[] {
  const errors: string[][] = []
  for (const line of printed.split('\n')) {
    if (!line.startsWith(' ')) errors.push([line])
    else errors.at(-1)?.push(line)
  }
  return errors.map((lines) => lines.slice(0, 1 + shownDetails).join('\n  '))
}

/** Whether a line is an error that the job's author can do something about: not one in our code. */
function isTheirs(line: string, file: string): boolean {
  const [, path] = /^(.+)\(\d+,\d+\): error TS\d+/.exec(line) ?? []
  if (path === undefined) return /^error TS\d+/.test(line)
  const place = resolve(path)
  const isOurs = place.startsWith(ownSources) && !place.includes(`${sep}node_modules${sep}`)
  return place === resolve(file) || !isOurs
}

/** What the compiler prints. */
function compile(compiler: string, types: readonly string[], file: string): Promise<string> {
  return new Promise((done, reject) => {
    const words = [compiler, ...flags.flatMap((flag) => flag.split(' ')), ...types, file]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      if (printed.length < mostPrintedChars) printed += chunk
    })
    child.once('error', reject)
    child.once('close', () => done(printed))
  })
}
