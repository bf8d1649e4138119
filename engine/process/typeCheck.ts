// Type-checks a job module before it runs, if the TypeScript compiler and Node's types are
// installed in its project or here. Without a compiler, nothing is checked: running needs none.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { howToInstall } from '../contract/ownEntry.ts'
import { EngineError } from '../engineError.ts'
import { pathOf } from '../modulePath.ts'

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
/** Maximum errors shown in a message. */
const shownErrors = 5
const mostPrintedChars = 1_000_000
const ownSources = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Throws JOB_TYPE_ERROR with the first errors of the module and of its imports. A missing file is
 * left to the import, which reports it.
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
  throw new EngineError('JOB_TYPE_ERROR', `the job has type errors: ${shown}${more}${remedy}`)
}

/** Returns the directory of a package, as resolved from the module, or else from this program. */
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

/** Maximum lines of detail shown per error. */
const shownDetails = 4

/** Returns the errors of the compiler, each with its indented details. */
function errorsIn(printed: string): string[] {
  const errors: string[][] = []
  for (const line of printed.split('\n')) {
    if (!line.startsWith(' ')) errors.push([line])
    else errors.at(-1)?.push(line)
  }
  return errors.map((lines) => lines.slice(0, 1 + shownDetails).join('\n  '))
}

/** Whether the author of the job can fix the error: false for errors in this program. */
function isTheirs(line: string, file: string): boolean {
  const [, path] = /^(.+)\(\d+,\d+\): error TS\d+/.exec(line) ?? []
  if (path === undefined) return /^error TS\d+/.test(line)
  const place = resolve(path)
  const isOurs = place.startsWith(ownSources) && !place.includes(`${sep}node_modules${sep}`)
  return place === resolve(file) || !isOurs
}

/** Returns the output of the compiler. */
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
