// The making and the removal of one partition's directory, each in a way that a crash leaves it done
// or not done.

import { basename, dirname, join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import { partitionMetadataFileName, segmentFileName } from '../segment/segmentFiles.ts'
import { encodePartitionMetadata, removedDirectoryName } from './dataDirectory.ts'

/** Makes the directory durably, unless it is there. */
export async function makePartitionDirectory(disk: Disk, directory: string): Promise<void> {
  if ((await disk.stat(directory)) !== undefined) return
  await disk.makeDirectory(directory)
  await disk.syncDirectory(dirname(directory))
}

/** Makes the directory of a new partition, with all that a log begins with, durably. */
export async function makeNewPartition(
  disk: Disk,
  directory: string,
  topicId: string | undefined,
): Promise<void> {
  await disk.makeDirectory(directory)
  const segment = await disk.open(join(directory, segmentFileName(0, '.log')), 'write')
  await segment.close()
  if (topicId !== undefined) {
    const metadata = encodePartitionMetadata(topicId)
    await disk.writeFileAtomic(join(directory, partitionMetadataFileName), metadata)
  }
  await disk.syncDirectory(directory)
  await disk.syncDirectory(dirname(directory))
}

/** Removes the directory and all that is in it. What a crash leaves of it has another name. */
export async function removePartitionDirectory(
  disk: Disk,
  directory: string,
  nowMs: number,
): Promise<void> {
  const parent = dirname(directory)
  const removed = join(parent, removedDirectoryName(basename(directory), nowMs))
  await disk.rename(directory, removed)
  await disk.syncDirectory(parent)
  await disk.remove(removed)
}
