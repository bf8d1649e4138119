// Creates a directory and its missing parents so that they survive a loss of power.

import { dirname } from 'node:path'
import type { Disk } from './disk.ts'

/**
 * Creates the directory and its missing parents, unless they exist. A directory is durable once its
 * parent was synced, and so on up: each parent is made durable before anything is created in it.
 * The entry of a directory that exists is synced, too, because an earlier attempt may have created
 * it and ended before its sync. Throws the error of `makeDirectory`, which says what to do.
 */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const parent = dirname(directory)
  if (parent !== directory && (await isMissing(disk, directory))) {
    await makeDurableDirectory(disk, parent)
  }
  await disk.makeDirectory(directory)
  if (parent !== directory) await disk.syncDirectory(parent).catch(unlessForbidden)
}

/** A path that cannot be examined is left to `makeDirectory`, which reports the reason. */
async function isMissing(disk: Disk, path: string): Promise<boolean> {
  return await disk.stat(path).then(
    (stat) => stat === undefined,
    () => false,
  )
}

/** A directory that this program may not open was not made by it. */
function unlessForbidden(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error
}
