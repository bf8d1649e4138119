// Files that are not part of the repository: a folder `shared` beside the checkout, with real input
// (`data/`) and the tables that tests compare with (`reference/`). Where the files do not exist,
// their tests are skipped with a message; for each of them there is a test with generated input.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const directory = resolve(import.meta.dirname, '../../shared')

/**
 * Returns the path of a file or folder in `shared`; logs a message and returns undefined if it does
 * not exist.
 */
export function sharedFile(name: string): string | undefined {
  const path = join(directory, name)
  if (existsSync(path)) return path
  console.warn(`left out: tests of ${name}, which is not part of the repository (${path})`)
  return undefined
}
