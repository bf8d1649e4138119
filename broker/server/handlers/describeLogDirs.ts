// DescribeLogDirs: describes the data directories with their partitions, sizes and free space. A
// failed directory is described by its error only.

import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type {
  LogDirectoryDescription,
  PartitionDescription,
} from '../../log/directory/directoryDescription.ts'
import { handler } from '../request/handler.ts'

/** The requested partitions by topic; null requests all. */
type Wanted = ReadonlyMap<string, ReadonlySet<number>> | null

export const describeLogDirsHandler = handler(describeLogDirs, async (request, { broker }) => {
  const wanted = wantedOf(request)
  const directories = await broker.replicas.directories()
  return {
    errorCode: ErrorCode.none,
    results: directories.map((directory) => describe(directory, wanted)),
  }
})

function wantedOf({ topics }: RequestOf<typeof describeLogDirs>): Wanted {
  return topics && new Map(topics.map(({ topic, partitions }) => [topic, new Set(partitions)]))
}

function describe(directory: LogDirectoryDescription, wanted: Wanted) {
  const { path, error, totalBytes, usableBytes } = directory
  return {
    errorCode: error ? ErrorCode.kafkaStorageError : ErrorCode.none,
    logDir: path,
    topics: error ? [] : byTopic(directory.partitions, wanted),
    totalBytes,
    usableBytes,
  }
}

function byTopic(partitions: readonly PartitionDescription[], wanted: Wanted) {
  const shown = partitions.filter(
    ({ topic, partition }) => wanted === null || wanted.get(topic)?.has(partition),
  )
  return [...Map.groupBy(shown, ({ topic }) => topic)].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ partition, sizeBytes, offsetLag }) => ({
      partitionIndex: partition,
      partitionSize: sizeBytes,
      offsetLag,
      isFutureKey: false,
    })),
  }))
}
