// Iterates over the batches of sealed segments for the cleaner, reading a limited number of bytes
// at a time, so that the event loop serves others between two reads.

import { type RecordBatch, splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import type { Segment } from '../segment/segment.ts'
import type { Pace } from './pace.ts'

export interface WalkOptions {
  /** Bytes per read; a larger batch is read separately. */
  readonly chunkBytes: number
  readonly pace: Pace
  /** Aborts the iteration. */
  readonly signal: AbortSignal
}

/**
 * Yields the batches from the one with `offset` on. Throws LogError for a damaged batch: a
 * rewritten batch gets a new CRC, which must not hide damage.
 */
export async function* segmentBatches(
  segment: Segment,
  offset: number,
  { chunkBytes, pace, signal }: WalkOptions,
): AsyncGenerator<RecordBatch, void> {
  const { sizeBytes, nextOffset } = segment
  const limits = {
    maxBytes: chunkBytes,
    minOneBatch: true,
    offset: nextOffset,
    activeBytes: sizeBytes,
    allocate: Buffer.allocUnsafeSlow,
    epochs: undefined,
    nowMs: undefined,
  }
  while (offset < nextOffset && !signal.aborted) {
    await pace.beforeRead(signal)
    const bytes = await segment.read(offset, limits, sizeBytes)
    if (bytes.length === 0) return
    pace.spend(bytes.length)
    for (const batch of splitBatches(bytes)) {
      await pace.beforeBatch(batch.recordCount, signal)
      yield batch
      offset = batch.nextOffset
    }
  }
}
