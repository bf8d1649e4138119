// Files that are not part of the repository: a folder `shared` beside the checkout, with real input
// (`data/`) and the tables that tests compare with (`reference/`). Tests of them are left out where
// they do not exist, and say so; a test with generated input stands beside each.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const directory = resolve(import.meta.dirname, '../../shared')

/**
 * The path of a file or folder below the shared one; undefined, with a message, where it does not
 * exist.
 */
export function sharedFile(name: string): string | undefined {
  const path = join(directory, name)
  if (existsSync(path)) return path
  console.warn(`left out: tests of ${name}, which is not part of the repository (${path})`)
  return undefined
}
