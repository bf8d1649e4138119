// Real input that is not part of the repository: a folder `shared/data` beside the checkout. Tests of it are left out
// where the folder does not exist, and say so; a test with generated input of known counts stands beside each of them.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const directory = resolve(import.meta.dirname, '../../shared/data')

/** The path of a file or folder of the real input; undefined, with a message, where it does not exist. */
export function sharedData(name: string): string | undefined {
  const path = join(directory, name)
  if (existsSync(path)) return path
  console.warn(`left out: the tests of ${name}, which is not part of the repository (${path})`)
  return undefined
}
