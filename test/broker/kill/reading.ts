// Reads whole partitions, as consumers of both isolation levels see them.

import type { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { type RecordBatch, splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { type Record, records } from '../../../protocol/kafka/records/recordCursor.ts'
import { throwUnlessNone } from './world.ts'

export const maxBatchBytes = 64 * 1024 * 1024

/** Yields every record from the start of the log, or `from`, to its current end. */
export async function* recordsOf(
  cluster: Cluster,
  topic: string,
  partition: number,
): AsyncIterable<Record> {
  const reader = new PartitionReader(cluster, { topic, partition, maxWaitMs: 0 })
  const end = await reader.latest()
  let offset = await reader.earliest()
  while (offset < end) {
    const { batches, nextOffset, logStartOffset } = await reader.fetch(offset)
    for (const batch of splitBatches(batches)) {
      for (const record of records(batch, maxBatchBytes)) if (record.offset >= offset) yield record
    }
    // Later records may have been removed, or compacted away up to the end.
    if (nextOffset === offset && logStartOffset <= offset) break
    offset = Math.max(nextOffset, logStartOffset)
  }
  reader.close()
}

/** The values that a read_committed consumer sees in a partition that starts at offset 0. */
export async function committedValues(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<string[]> {
  const values: string[] = []
  const connection = await cluster.any()
  for (let fetchOffset = 0; ; ) {
    const answer = await connection.send(
      fetch,
      {
        ...{ maxWaitMs: 0, minBytes: 0, maxBytes: maxBatchBytes, isolationLevel: 1 },
        topics: [
          { topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: maxBatchBytes }] },
        ],
      },
      { version: 12 },
    )
    const found = answer.responses[0]!.partitions[0]!
    throwUnlessNone(found.errorCode)
    const batches = [...splitBatches(found.records ?? Buffer.alloc(0))]
    if (batches.length === 0) return values
    values.push(...unaborted(batches, found.abortedTransactions ?? []))
    fetchOffset = batches.at(-1)!.nextOffset
  }
}

/** An aborted transaction is skipped from its first offset to its marker. */
function unaborted(
  batches: readonly RecordBatch[],
  aborted: readonly { readonly producerId: number; readonly firstOffset: number }[],
): string[] {
  const values: string[] = []
  const waiting = [...aborted].sort((a, b) => b.firstOffset - a.firstOffset)
  const skipped = new Set<number>()
  for (const batch of batches) {
    while (waiting.length > 0 && waiting.at(-1)!.firstOffset < batch.nextOffset) {
      skipped.add(waiting.pop()!.producerId)
    }
    if (batch.isControl) skipped.delete(batch.producerId)
    else if (!skipped.has(batch.producerId)) {
      for (const { value } of records(batch, maxBatchBytes)) values.push(value!.toString())
    }
  }
  return values
}
