// ListOffsets: finds offsets by time: the earliest, the latest, the first at or after a timestamp,
// or the one with the largest timestamp.

import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { TimestampedOffset } from '../../log/readResult.ts'
import type { Partition } from '../../replication/partition.ts'
import { handler } from '../request/handler.ts'
import type { RequestContext } from '../request/requestContext.ts'

/** Special timestamps, which name a place in the log. */
const Place = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  /** Without tiered storage, all of the log is local and none of it is tiered. */
  earliestLocal: -4,
  latestTiered: -5,
} as const

/** The first version in which a client may ask for each place. */
const placeVersions: ReadonlyMap<number, number> = new Map([
  [Place.latest, 1],
  [Place.earliest, 1],
  [Place.maxTimestamp, 7],
  [Place.earliestLocal, 8],
  [Place.latestTiered, 9],
])

/** The first version with a leader epoch in the response. */
const leaderEpochVersion = 4

const readCommitted = 1

type ListRequest = RequestOf<typeof listOffsets>
type PartitionRequest = ListRequest['topics'][number]['partitions'][number]

interface Found {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

const nothing: Found = { offset: -1, timestamp: -1, leaderEpoch: -1 }

export const listOffsetsHandler = handler(listOffsets, async (request, context) => {
  const counts = countsOf(request)
  const topics = request.topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map(async (partition) => {
        const { partitionIndex } = partition
        const { errorCode, found } =
          counts.get(name, partitionIndex)! > 1
            ? refuse(ErrorCode.invalidRequest)
            : await findOrRefuse(name, partition, request.isolationLevel, context)
        const hasEpoch = context.apiVersion >= leaderEpochVersion
        return {
          partitionIndex,
          errorCode,
          timestamp: found.timestamp,
          offset: found.offset,
          leaderEpoch: hasEpoch ? found.leaderEpoch : -1,
        }
      }),
    ),
  }))
  return { topics: await Promise.all(topics) }
})

/** How often the request names each partition: one that is repeated is refused, as in Kafka. */
function countsOf({ topics }: ListRequest): PartitionMap<number> {
  const counts = new PartitionMap<number>()
  for (const { name, partitions } of topics) {
    for (const { partitionIndex } of partitions) {
      counts.set(name, partitionIndex, (counts.get(name, partitionIndex) ?? 0) + 1)
    }
  }
  return counts
}

async function findOrRefuse(
  topic: string,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionRequest,
  isolationLevel: number,
  { broker, apiVersion }: RequestContext,
): Promise<{ errorCode: number; found: Found }> {
  if (timestamp < 0 && !(apiVersion >= (placeVersions.get(timestamp) ?? Infinity))) {
    return refuse(ErrorCode.unsupportedVersion)
  }
  const known = broker.controller.state.topic(topic)
  const partition = known && (await broker.replicas.readable(known, partitionIndex))
  if (!partition) return refuse(broker.replicas.errorCodeOfMissing(known, partitionIndex))
  const epochError = partition.leaderEpochError(currentLeaderEpoch)
  if (epochError !== ErrorCode.none) return refuse(epochError)
  try {
    const { log } = partition
    const end = isolationLevel === readCommitted ? log.lastStableOffset : log.highWatermark
    return { errorCode: ErrorCode.none, found: await find(partition, timestamp, end) }
  } catch (error) {
    return refuse(broker.replicas.errorCodeOf(error, topic, partitionIndex))
  }
}

function refuse(errorCode: number): { errorCode: number; found: Found } {
  return { errorCode, found: nothing }
}

/** Finds an offset. A record at or above `end` is not found by its timestamp. */
async function find(
  { log, leaderEpoch }: Partition,
  timestamp: number,
  end: number,
): Promise<Found> {
  switch (timestamp) {
    case Place.latest:
      return { offset: end, timestamp: -1, leaderEpoch }
    case Place.earliest:
    case Place.earliestLocal:
      return { offset: log.logStartOffset, timestamp: -1, leaderEpoch }
    case Place.latestTiered:
      return nothing
    case Place.maxTimestamp:
      return fromRecord(await log.offsetOfMaxTimestamp(), end)
    default:
      return fromRecord(await log.offsetForTimestamp(timestamp), end)
  }
}

function fromRecord(record: TimestampedOffset | undefined, end: number): Found {
  if (!record || record.offset >= end) return nothing
  return { offset: record.offset, timestamp: record.timestampMs, leaderEpoch: record.leaderEpoch }
}
