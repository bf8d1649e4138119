// The code of one submission: the sources of all files that a job module imports, as they were when the
// driver imported them, and the version that they make. Executors run these sources and not the files,
// which may have changed by the time an executor is replaced.
//
// A file that a job imports only later, while it runs, is not part of it: it is read from the disk.

import { createHash } from 'node:crypto'
import { registerHooks } from 'node:module'
import { dirname, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJobImport } from './ownEntry.ts'

/** Plain: it crosses threads. */
export interface CodeSnapshot {
  readonly moduleUrl: string
  /** SHA-256 over names and contents of all files, in hexadecimal. */
  readonly version: string
  /** By URL. */
  readonly files: ReadonlyMap<string, SourceFile>
}

export interface SourceFile {
  /** How Node reads it: `module-typescript`, `json`; undefined lets Node find out. */
  readonly format: string | undefined
  readonly source: Uint8Array
  /** What its imports led to, by `importKey`. */
  readonly imports: ReadonlyMap<string, ResolvedImport>
}

export interface ResolvedImport {
  readonly url: string
  readonly format: string | undefined
}

/** A file as the version counts it. */
export interface CountedFile {
  /** See fileName. */
  readonly name: string
  readonly content: Uint8Array
}

/** `require` and `import` may find different files of a package. */
export function importKey(specifier: string, conditions: readonly string[]): string {
  return `${conditions.includes('require') ? 'require' : 'import'} ${specifier}`
}

/** Does not depend on the order of the files, nor on where a project is. */
export function codeVersion(files: readonly CountedFile[]): string {
  const lines = files.map(({ name, content }) => `${sha256(content)} ${name}\n`)
  return sha256(lines.sort().join(''))
}

/** The name of a file: within its package, or seen from the folder of the job module. */
export function fileName(url: string, moduleUrl: string): string {
  const { pathname, search } = new URL(url)
  const inPackage = pathname.lastIndexOf(packagesFolder)
  if (inPackage >= 0) return pathname.slice(inPackage + packagesFolder.length) + search
  return posix.relative(dirname(new URL(moduleUrl).pathname), pathname) + search
}

export const packagesFolder = '/node_modules/'

/**
 * From now on the imports of this thread that are part of the snapshot give its sources, under the URLs
 * of the files, so that stacks and debuggers show those.
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

/** The path of a module's file. */
export function pathOfUrl(url: string): string {
  const { protocol, pathname } = new URL(url)
  return fileURLToPath(`${protocol}//${pathname}`)
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
