// Has the TypeScript compiler look at a job module before it runs, when one is installed where the
// module is or here. Running needs no compiler, so without one there is nothing to say.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EngineError } from './engineError.ts'

const flags = [
  '--noEmit',
  '--ignoreConfig',
  '--strict',
  '--skipLibCheck',
  '--target es2024',
  '--module nodenext',
  '--erasableSyntaxOnly',
  '--allowImportingTsExtensions',
]
/** Of the compiler's complaints, in the message. */
const shownErrors = 5

/** Throws JOB_TYPE_ERROR with the first errors. */
export async function requireTypes(file: string): Promise<void> {
  if (!/\.[cm]?ts$/.test(file)) return
  const compiler = findCompiler(file)
  if (compiler === undefined) return
  const errors = await compile(compiler, file)
  if (errors.length === 0) return
  const shown = errors.slice(0, shownErrors).join('\n  ')
  const more = errors.length > shownErrors ? `\n  and ${errors.length - shownErrors} more` : ''
  throw new EngineError('JOB_TYPE_ERROR', `the job's types do not fit: ${shown}${more}`)
}

function findCompiler(file: string): string | undefined {
  for (const from of [pathToFileURL(file).href, import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve('typescript/package.json')), 'bin', 'tsc')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  return undefined
}

/** The lines that begin with a place and `error`; empty when all is well. */
function compile(compiler: string, file: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const words = [compiler, ...flags.flatMap((flag) => flag.split(' ')), file]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    const keep = (chunk: Buffer) => {
      if (printed.length < 1_000_000) printed += chunk
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', reject)
    child.once('close', (code) => {
      const errors = printed.split('\n').filter((line) => /\berror TS\d+/.test(line))
      if (code !== 0 && errors.length === 0) errors.push(printed.trim())
      resolve(code === 0 ? [] : errors)
    })
  })
}
