// Creates a directory and its missing parents so that they survive a power failure.

import { dirname } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'

/** Creates the directory unless it exists, and syncs every parent that got a new entry. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const created: string[] = []
  for (let at = directory; (await disk.stat(at)) === undefined; at = dirname(at)) created.push(at)
  await disk.makeDirectory(directory)
  for (const path of created.reverse()) await disk.syncDirectory(dirname(path))
}
