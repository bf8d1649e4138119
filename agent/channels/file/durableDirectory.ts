// Creates a directory that survives a power failure, with those of its parents that did not exist either.

import { dirname } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'

export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const created: string[] = []
  for (let at = directory; (await disk.stat(at)) === undefined; at = dirname(at)) created.push(at)
  await disk.makeDirectory(directory)
  for (const path of created.reverse()) await disk.syncDirectory(dirname(path))
}
