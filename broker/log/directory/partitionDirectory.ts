// Creates the directory of a partition. Can be repeated: a later attempt completes one that failed
// or was interrupted by a crash. Must never take a directory with records for an empty one.

import { dirname, join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { LogError } from '../logError.ts'
import { partitionMetadataFileName, segmentFileName } from '../segment/segmentFiles.ts'
import { decodePartitionMetadata, encodePartitionMetadata } from './dataDirectory.ts'

/** Creates the directory durably, if it does not exist. */
export async function makePartitionDirectory(disk: Disk, directory: string): Promise<void> {
  if ((await disk.stat(directory)) !== undefined) return
  await disk.makeDirectory(directory)
  await disk.syncDirectory(dirname(directory))
}

/**
 * Creates the directory of a new partition with the initial files of a log, durably. Throws
 * LogError if a directory with records, or of another topic, exists at its path.
 */
export async function makeNewPartition(
  disk: Disk,
  directory: string,
  topicId: string | undefined,
): Promise<void> {
  if ((await disk.stat(directory))?.isDirectory) await mustBeUnused(disk, directory, topicId)
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

async function mustBeUnused(
  disk: Disk,
  directory: string,
  topicId: string | undefined,
): Promise<void> {
  const foundId = await readTopicId(disk, directory)
  if (foundId !== undefined && foundId !== topicId) throw occupied(directory, `of topic ${foundId}`)
  const used = await usedSegment(disk, directory)
  if (used !== undefined) throw occupied(directory, `in ${used}`)
}

/**
 * What stands at the path of a new partition. `begun`: what an attempt to create it has left,
 * without records. `occupied`: a partition that has, or has had, records, or is of another topic.
 */
export type PathUse = 'free' | 'begun' | 'occupied'

export async function pathUse(
  disk: Disk,
  directory: string,
  topicId: string | undefined,
): Promise<PathUse> {
  if (!(await disk.stat(directory))?.isDirectory) return 'free'
  const foundId = await readTopicId(disk, directory)
  if (foundId !== undefined && foundId !== topicId) return 'occupied'
  return (await usedSegment(disk, directory)) === undefined ? 'begun' : 'occupied'
}

/** A segment with records, or one that only a log that has had records has. */
async function usedSegment(disk: Disk, directory: string): Promise<string | undefined> {
  for (const name of await disk.list(directory)) {
    if (!name.endsWith('.log')) continue
    const { sizeBytes } = (await disk.stat(join(directory, name))) ?? { sizeBytes: 0 }
    if (sizeBytes > 0 || name !== segmentFileName(0, '.log')) return name
  }
  return undefined
}

function occupied(directory: string, whose: string): LogError {
  return new LogError(
    'LOG_DIRECTORY_FOREIGN',
    `${directory} already exists, with records ${whose}, and a new partition needs its path: move it away`,
  )
}

/** The id of the topic that the directory belongs to; undefined without one. */
export async function readTopicId(disk: Disk, directory: string): Promise<string | undefined> {
  const metadata = await disk.readFile(join(directory, partitionMetadataFileName))
  return metadata && decodePartitionMetadata(metadata)
}
