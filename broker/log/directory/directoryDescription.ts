// What a data directory holds and has room for, as DescribeLogDirs tells it.

import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import { directoryFailed, type LogError } from '../logError.ts'
import type { LogDirectory } from './logDirectory.ts'

export interface LogDirectoryDescription {
  readonly path: string
  /** Why it cannot be used; undefined when it can. */
  readonly error: LogError | undefined
  /** Of the file system that holds it; -1 when it cannot be told. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly partitions: readonly PartitionDescription[]
}

export interface PartitionDescription extends TopicPartition {
  readonly sizeBytes: number
  /** How far the log's end is behind the high watermark, which only happens to a replica. */
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
