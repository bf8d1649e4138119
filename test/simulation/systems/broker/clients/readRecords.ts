// Decodes what was fetched, for the history.

import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../../protocol/kafka/records/recordCursor.ts'
import type { OffsetAndValue } from '../../../checkers/operations.ts'

const maxBatchBytes = 16 * 1024 * 1024

/** The records from an offset on: the first batch may start before it. */
export function recordsFrom(batches: Buffer, from: number): OffsetAndValue[] {
  const found: OffsetAndValue[] = []
  for (const batch of splitBatches(batches)) {
    for (const { offset, value } of records(batch, maxBatchBytes)) {
      if (offset >= from) found.push([offset, value!.toString()])
    }
  }
  return found
}

/** `topic-partition` of a history, apart. */
export function topicPartitionOf(name: string): {
  readonly topic: string
  readonly partition: number
} {
  const dash = name.lastIndexOf('-')
  return { topic: name.slice(0, dash), partition: Number(name.slice(dash + 1)) }
}
