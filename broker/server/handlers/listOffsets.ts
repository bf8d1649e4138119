// Says which offset a time has: the earliest and latest, the first at or after a timestamp, or that
// of the largest timestamp.

import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { PartitionLog } from '../../log/partitionLog.ts'
import type { TimestampedOffset } from '../../log/readResult.ts'
import { handler } from '../handler.ts'
import { leaderEpoch, leaderEpochError } from '../leaderEpoch.ts'
import type { RequestContext } from '../requestContext.ts'

/** Timestamps that stand for a place in the log. */
const Place = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  /** Without tiered storage all of the log is local, and nothing is tiered. */
  earliestLocal: -4,
  latestTiered: -5,
} as const

/** Answers before this have no leader epoch. */
const leaderEpochVersion = 4

type PartitionRequest = RequestOf<typeof listOffsets>['topics'][number]['partitions'][number]

interface Found {
  readonly offset: number
  readonly timestamp: number
}

const nothing: Found = { offset: -1, timestamp: -1 }

export const listOffsetsHandler = handler(listOffsets, async (request, context) => {
  const topics = request.topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map((partition) => listPartition(name, partition, context)),
    ),
  }))
  return { throttleTimeMs: 0, topics: await Promise.all(topics) }
})

async function listPartition(
  topic: string,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionRequest,
  { broker, apiVersion }: RequestContext,
) {
  const { errorCode, found } = await findOrRefuse()
  const hasEpoch = found.offset !== -1 && apiVersion >= leaderEpochVersion
  return { partitionIndex, errorCode, ...found, leaderEpoch: hasEpoch ? leaderEpoch : -1 }

  async function findOrRefuse(): Promise<{ errorCode: number; found: Found }> {
    const known = broker.controller.state.topic(topic)
    const log = known && (await broker.partitions.readable(known, partitionIndex))
    if (!log) return { errorCode: ErrorCode.unknownTopicOrPartition, found: nothing }
    const epochError = leaderEpochError(currentLeaderEpoch)
    if (epochError !== ErrorCode.none) return { errorCode: epochError, found: nothing }
    try {
      return { errorCode: ErrorCode.none, found: await find(log, timestamp) }
    } catch (error) {
      const code = broker.partitions.errorCodeOf(error, topic, partitionIndex)
      return { errorCode: code, found: nothing }
    }
  }
}

async function find(log: PartitionLog, timestamp: number): Promise<Found> {
  switch (timestamp) {
    case Place.latest:
      return { offset: log.highWatermark, timestamp: -1 }
    case Place.earliest:
    case Place.earliestLocal:
      return { offset: log.logStartOffset, timestamp: -1 }
    case Place.latestTiered:
      return nothing
    case Place.maxTimestamp:
      return fromRecord(await log.offsetOfMaxTimestamp())
    default:
      return fromRecord(await log.offsetForTimestamp(timestamp))
  }
}

function fromRecord(record: TimestampedOffset | undefined): Found {
  return record ? { offset: record.offset, timestamp: record.timestampMs } : nothing
}
