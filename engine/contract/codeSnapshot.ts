// The code of one submission: the sources of all files that a job module imports, as they were when
// the driver imported them, and their version. Executors run these sources instead of the files,
// which may have changed by the time an executor is replaced.
//
// A file that a job imports later, while it runs, is not part of the snapshot and is read from
// disk.

import { createHash } from 'node:crypto'
import { registerHooks } from 'node:module'
import { dirname, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJobImport } from './ownEntry.ts'

/** Plain data: it is sent between threads. */
export interface CodeSnapshot {
  readonly moduleUrl: string
  /** SHA-256 over names and contents of all files, in hexadecimal. */
  readonly version: string
  /** By URL. */
  readonly files: ReadonlyMap<string, SourceFile>
}

export interface SourceFile {
  /** Node's format of the file: `module-typescript`, `json`; undefined lets Node detect it. */
  readonly format: string | undefined
  readonly source: Uint8Array
  /** Resolved imports, by `importKey`. */
  readonly imports: ReadonlyMap<string, ResolvedImport>
}

export interface ResolvedImport {
  readonly url: string
  readonly format: string | undefined
}

/** A file as it is hashed for the version. */
export interface CountedFile {
  /** See fileName. */
  readonly name: string
  readonly content: Uint8Array
}

/** `require` and `import` may resolve to different files of a package. */
export function importKey(specifier: string, conditions: readonly string[]): string {
  return `${conditions.includes('require') ? 'require' : 'import'} ${specifier}`
}

/** Returns the version, independent of the order of the files and the location of the project. */
export function codeVersion(files: readonly CountedFile[]): string {
  const lines = files.map(({ name, content }) => `${sha256(content)} ${name}\n`)
  return sha256(lines.sort().join(''))
}

/** Names a file: within its package, or relative to the directory of the job module. */
export function fileName(url: string, moduleUrl: string): string {
  const { pathname, search } = new URL(url)
  const inPackage = pathname.lastIndexOf(packagesFolder)
  if (inPackage >= 0) return pathname.slice(inPackage + packagesFolder.length) + search
  return posix.relative(dirname(new URL(moduleUrl).pathname), pathname) + search
}

export const packagesFolder = '/node_modules/'

/**
 * Serves the snapshot's sources to this thread's imports from now on, under the URLs of the files,
 * so that stack traces and debuggers show those.
 */
export function serveSnapshot({ moduleUrl, files }: CodeSnapshot): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === moduleUrl) return { url: moduleUrl, shortCircuit: true }
      const from = context.parentURL === undefined ? undefined : files.get(context.parentURL)
      if (from === undefined) return next(specifier, context)
      const found = from.imports.get(importKey(specifier, context.conditions))
      if (found === undefined || !files.has(found.url)) {
        const job = { specifier, from: context.parentURL }
        return resolveJobImport(job, () => next(specifier, context))
      }
      const { importAttributes } = context
      return { url: found.url, format: found.format, importAttributes, shortCircuit: true }
    },
    load(url, context, next) {
      const file = files.get(url)
      if (file === undefined) return next(url, context)
      return { format: file.format, source: file.source, shortCircuit: true }
    },
  })
}

/** Returns the path of a module's file. */
export function pathOfUrl(url: string): string {
  const { protocol, pathname } = new URL(url)
  return fileURLToPath(`${protocol}//${pathname}`)
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
