// Makes a job use the engine that runs it. A job's project may have its own copy of Millrace beside
// the running one, for example a global one. Objects of two copies are not `instanceof` each
// other's classes, so imports of `millrace/...` are redirected to the running copy, if the versions
// are equal.

import { findPackageJSON } from 'node:module'
import { fileURLToPath } from 'node:url'
import { ownPackage, versionOf } from '../../protocol/runtime/process/ownPackage.ts'
import { EngineError } from '../engineError.ts'

const ownManifest = fileURLToPath(new URL('../../package.json', import.meta.url))
const ownSpecifier = /^millrace(?:\/|$)/

export interface JobImport {
  readonly specifier: string
  /** URL of the importing file. */
  readonly from: string | undefined
}

interface Resolved {
  url: string
  format?: string | null | undefined
}

/**
 * Resolves an import of a job's file; `next` is Node's resolution. Throws JOB_MODULE_INVALID when
 * Millrace is not installed there, or in another version.
 */
export function resolveJobImport<T extends Resolved>(
  { specifier, from }: JobImport,
  next: () => T,
): T {
  if (!ownSpecifier.test(specifier)) return next()
  let found: T
  try {
    found = next()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new EngineError('JOB_MODULE_INVALID', `${placeOf(from)} ${howToInstall()}`, error)
  }
  const manifest = found.url.startsWith('file:') ? findPackageJSON(found.url) : undefined
  if (manifest === undefined || manifest === ownManifest) return found
  const { version: own } = ownPackage()
  const theirs = versionOf(manifest)
  if (theirs === own) return { ...found, url: import.meta.resolve(specifier), format: undefined }
  throw new EngineError(
    'JOB_MODULE_INVALID',
    `${placeOf(from)} imports millrace ${theirs} of ${manifest}, but is run by millrace ${own} of ${ownManifest}; ` +
      "run it with 'npx millrace' in the job's project, or install the same version in both",
  )
}

/** Advice for when `millrace/engine` is not found. */
export function howToInstall(): string {
  const { version } = ownPackage()
  return `imports millrace, which is not installed in its project; run 'npm install millrace@${version}' there`
}

function placeOf(url: string | undefined): string {
  return url?.startsWith('file:') ? fileURLToPath(url) : 'the job'
}
