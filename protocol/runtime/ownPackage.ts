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
  read ??= manifestIn(new URL('../../package.json', import.meta.url))
  return read
}

/** The version in a package.json, such as that of another copy of Millrace. */
export function versionIn(manifest: string): string {
  return manifestIn(manifest).version
}

function manifestIn(path: URL | string): OwnPackage {
  return JSON.parse(readFileSync(path, 'utf8'))
}
