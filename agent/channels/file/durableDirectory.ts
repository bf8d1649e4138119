// Creates a directory and its missing parents so that they survive a power failure.

import { dirname } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'

/**
 * Creates the directory unless it exists, and syncs every parent that got a new entry. The parent
 * of one that exists is synced, too: an earlier attempt may have ended before its sync.
 */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const made = [directory]
  while ((await disk.stat(made.at(-1)!)) === undefined) made.push(dirname(made.at(-1)!))
  await disk.makeDirectory(directory)
  for (const path of made.reverse()) await disk.syncDirectory(dirname(path)).catch(unlessForbidden)
}

/** A directory that this program may not open was not made by it. */
function unlessForbidden(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error
}
