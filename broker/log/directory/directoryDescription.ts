// The content and the free space of a data directory, as DescribeLogDirs returns them.

import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { directoryFailed, type LogError } from '../logError.ts'
import type { LogDirectory } from './logDirectory.ts'

export interface LogDirectoryDescription {
  readonly path: string
  /** Why the directory cannot be used; undefined if it can. */
  readonly error: LogError | undefined
  /** Size of its file system; -1 if unknown. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly partitions: readonly PartitionDescription[]
}

export interface PartitionDescription extends TopicPartition {
  readonly sizeBytes: number
  /** How far the end of the log is behind the high watermark, which happens only to a follower. */
  readonly offsetLag: number
}

export async function describeDirectory(
  disk: Disk,
  { path, logs }: LogDirectory,
): Promise<LogDirectoryDescription> {
  const partitions = [...logs.values()].map(({ topic, partition, log }) => {
    const offsetLag = Math.max(0, log.highWatermark - log.logEndOffset)
    return { topic, partition, sizeBytes: log.size, offsetLag }
  })
  try {
    const totalBytes = await disk.totalBytes(path)
    const usableBytes = await disk.freeBytes(path)
    return { path, error: undefined, totalBytes, usableBytes, partitions }
  } catch (cause) {
    const error = directoryFailed(path, cause)
    return { path, error, totalBytes: -1, usableBytes: -1, partitions }
  }
}
