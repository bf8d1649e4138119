// Follows one partition from its start, for ever: what is in a topic, as a plain reader sees it.

import type { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import {
  type FetchedPartition,
  PartitionReader,
} from '../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'

const maxBatchBytes = 16 * 1024 * 1024

/** Calls back with the value of each record, in order. Never resolves. */
export async function followPartition(
  cluster: Cluster,
  topic: string,
  partition: number,
  onValue: (value: string) => void,
): Promise<never> {
  const reader = new PartitionReader(cluster, {
    ...{ topic, partition, maxWaitMs: 400 },
    retryTimeoutMs: Number.POSITIVE_INFINITY,
  })
  for (let offset = 0; ; ) {
    const fetched = await reader.fetch(offset)
    for (const value of valuesOf(fetched, offset)) onValue(value)
    offset = fetched.nextOffset
  }
}

function valuesOf({ batches }: FetchedPartition, from: number): string[] {
  const found: string[] = []
  for (const batch of splitBatches(batches)) {
    for (const { offset, value } of records(batch, maxBatchBytes)) {
      if (offset >= from) found.push(value!.toString('latin1'))
    }
  }
  return found
}
