// Partitions that exist in two data directories, because their creation failed in one and was
// completed in the other. The directory without records is removed, so that the broker starts. Must
// never remove a directory that has, or has had, records.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { parsePartitionDirectory } from './dataDirectory.ts'
import { pathUse, readTopicId } from './partitionDirectory.ts'

/** `paths`: the data directories in use. Rejects if one cannot be read. */
export async function removeUnusedTwins(
  disk: Disk,
  paths: readonly string[],
  logger: Logger,
): Promise<void> {
  if (paths.length < 2) return
  const homes = new Map<string, string[]>()
  for (const path of paths) {
    for (const name of await disk.list(path)) {
      if (parsePartitionDirectory(name)) homes.set(name, [...(homes.get(name) ?? []), path])
    }
  }
  for (const [name, [path, ...others]] of homes) {
    let kept = join(path!, name)
    for (const other of others) {
      const removed = await unusedOne(disk, join(other, name), kept)
      if (removed === undefined) continue
      if (removed === kept) kept = join(other, name)
      await disk.remove(removed)
      logger.warn(
        { removed, kept },
        'a partition without records was removed: its creation was completed elsewhere',
      )
    }
  }
}

/**
 * The directory of the two that was never used; undefined if both were, or belong to two topics.
 */
async function unusedOne(disk: Disk, one: string, other: string): Promise<string | undefined> {
  if ((await pathUse(disk, one, await readTopicId(disk, other))) === 'begun') return one
  if ((await pathUse(disk, other, await readTopicId(disk, one))) === 'begun') return other
  return undefined
}
