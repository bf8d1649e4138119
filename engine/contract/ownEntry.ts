// One engine for a job and for the program that runs it. A job's project may have its own copy of Millrace
// beside the one that runs, such as a global one. Objects of two copies are not `instanceof` each other's
// classes, so that imports of `millrace/...` lead to the running copy, if both are of the same version.

import { findPackageJSON } from 'node:module'
import { fileURLToPath } from 'node:url'
import { ownPackage, versionOf } from '../../protocol/runtime/ownPackage.ts'
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
 * Resolves an import of a job's file: `next` finds what Node would. Throws JOB_MODULE_INVALID for a copy of
 * Millrace of another version, and for none at all.
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
    `${placeOf(from)} imports millrace ${theirs} of ${manifest}, and millrace ${own} of ${ownManifest} ` +
      "runs it: run it with 'npx millrace' in the project of the job, or install the same version in both",
  )
}

/** What to do where `millrace/engine` is not found. */
export function howToInstall(): string {
  const { version } = ownPackage()
  return `imports millrace, which its project does not have: run 'npm install millrace@${version}' there`
}

function placeOf(url: string | undefined): string {
  return url?.startsWith('file:') ? fileURLToPath(url) : 'the job'
}
