// The package.json of this program: what it is called when it introduces itself, and on which Node it runs.
// Runs on a Node that is too old for everything else.

import { readFileSync } from 'node:fs'

export interface OwnPackage {
  readonly version: string
  readonly engines: { readonly node: string }
  /** Commit that the package was built from; undefined in a checkout. */
  readonly gitHead?: string
}

let read: OwnPackage | undefined

/** Reads the file once. */
export function ownPackage(): OwnPackage {
  read ??= JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return read as OwnPackage
}

/** The version in the package.json at `path`. */
export function versionOf(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as OwnPackage).version
}
