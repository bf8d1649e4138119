// The lag of a group: in records, from the ends of the partitions, and in time, from the timestamp
// of the first record that it has not committed.

import type { Admin } from '../../../../../protocol/client/admin.ts'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import type { FoundOffset } from '../../../../../protocol/client/adminApi.ts'
import type { Cluster } from '../../../../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../../protocol/kafka/records/recordCursor.ts'
import type { TopicPartition } from '../../../../../protocol/kafka/topicPartition.ts'
import { mostBatchBytes } from '../records/recordBrowser.ts'

/** Null if the partition or its topic no longer exists, or has no leader. */
export interface LogEnds {
  readonly start: number | null
  readonly end: number | null
}

/** Returns the ends of the partitions, in their order. */
export async function logEnds(
  admin: Admin,
  partitions: readonly TopicPartition[],
): Promise<LogEnds[]> {
  const ask = (at: number) =>
    admin.findOffsets(partitions.map(({ topic, partition }) => ({ topic, partition, at })))
  const [starts, ends] = await Promise.all([ask(OffsetSpec.earliest), ask(OffsetSpec.latest)])
  const found = ({ errorCode, offset }: FoundOffset) => (errorCode === 0 ? offset : null)
  return partitions.map((_, index) => ({ start: found(starts[index]!), end: found(ends[index]!) }))
}

/** Each costs a fetch; beyond this many partitions the lag in time is unknown. */
export const mostTimedPartitions = 200
const readAtOnce = 8
const retryTimeoutMs = 5_000

/**
 * Returns the timestamps in ms of the first records at or after the offsets, in their order; null
 * if there is none.
 */
export async function firstTimestamps(
  cluster: Cluster,
  places: readonly (TopicPartition & { readonly offset: number })[],
): Promise<(number | null)[]> {
  const lane = cluster.newLane('lag')
  const timestamps: (number | null)[] = places.map(() => null)
  let next = 0
  const work = async () => {
    for (let at = next++; at < Math.min(places.length, mostTimedPartitions); at = next++) {
      timestamps[at] = await firstTimestamp(cluster, places[at]!, lane)
    }
  }
  try {
    await Promise.all(Array.from({ length: readAtOnce }, work))
  } finally {
    cluster.closeLane(lane)
  }
  return timestamps
}

/** Reads at most one batch; null for a partition that cannot be read now. */
async function firstTimestamp(
  cluster: Cluster,
  { topic, partition, offset }: TopicPartition & { readonly offset: number },
  lane: string,
): Promise<number | null> {
  const options = { topic, partition, lane, retryTimeoutMs, maxBytes: 1, maxWaitMs: 0 }
  const reader = new PartitionReader(cluster, options)
  try {
    const { batches } = await reader.fetch(offset)
    for (const batch of splitBatches(batches)) {
      if (batch.magic !== 2 || batch.nextOffset <= offset) continue
      for (const record of records(batch, mostBatchBytes)) {
        if (record.offset >= offset) return record.timestamp < 0 ? null : record.timestamp
      }
    }
    return null
  } catch {
    return null
  }
}
