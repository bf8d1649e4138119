// Reads the package.json of this program: its version and the required Node. Must run on a Node
// that is too old for the rest of the program.

import { readFileSync } from 'node:fs'

export interface OwnPackage {
  readonly version: string
  readonly engines: { readonly node: string }
  /** Commit from which the package was built; undefined in a checkout. */
  readonly gitHead?: string
}

let read: OwnPackage | undefined

/** Returns the package.json, which is read once. */
export function ownPackage(): OwnPackage {
  read ??= JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  return read as OwnPackage
}

/** Returns the version in the package.json at `path`. */
export function versionOf(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as OwnPackage).version
}
