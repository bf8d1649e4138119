// Replaces a directory by another one so that a crash at any point leaves the old one or the new one under
// its name, once `recover` has run. The new one is built beside it; suffixes begin with a dot, which no uid
// of an operator has.

import { basename, dirname, join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'

const newSuffix = '.importing'
const oldSuffix = '.replaced'

/** Finishes or takes back what a crash has interrupted, for every directory in `parent`. */
export async function recoverAll(disk: Disk, parent: string): Promise<void> {
  if ((await disk.stat(parent)) === undefined) return
  const names = new Set<string>()
  for (const name of await disk.list(parent)) {
    for (const suffix of [newSuffix, oldSuffix]) {
      if (name.endsWith(suffix)) names.add(name.slice(0, -suffix.length))
    }
  }
  for (const name of names) await recover(disk, join(parent, name))
}

/** An empty directory for what shall replace `directory`. */
export async function beginSwap(disk: Disk, directory: string): Promise<string> {
  await recover(disk, directory)
  await disk.makeDirectory(directory + newSuffix)
  return directory + newSuffix
}

/** Everything in the new directory must be durable. */
export async function finishSwap(disk: Disk, directory: string): Promise<void> {
  const parent = dirname(directory)
  if ((await disk.stat(directory)) !== undefined) {
    await disk.rename(directory, directory + oldSuffix)
    // Before the other rename, or a crash could leave that one alone: onto a directory that exists.
    await disk.syncDirectory(parent)
  }
  await disk.rename(directory + newSuffix, directory)
  await disk.syncDirectory(parent)
  await disk.remove(directory + oldSuffix)
}

async function recover(disk: Disk, directory: string): Promise<void> {
  const parent = dirname(directory)
  if ((await disk.stat(parent)) === undefined) return
  const names = await disk.list(parent)
  const name = basename(directory)
  if (names.includes(name + oldSuffix)) {
    if (names.includes(name)) await disk.remove(directory + oldSuffix)
    else await disk.rename(directory + oldSuffix, directory)
  }
  if (names.includes(name + newSuffix)) await disk.remove(directory + newSuffix)
  await disk.syncDirectory(parent)
}
