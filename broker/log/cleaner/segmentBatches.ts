// Walks the batches of sealed segments for the cleaner, a limited number of bytes at a time:
// between two reads of the disk, everything else in the process has its turn.

import { type RecordBatch, splitBatches } from '../../../protocol/kafka/recordBatch.ts'
import type { Segment } from '../segment/segment.ts'
import type { Pace } from './pace.ts'

export interface WalkOptions {
  /** How much is read at once; a batch larger than this is read for itself. */
  readonly chunkBytes: number
  readonly pace: Pace
  /** Ends the walk before its end. */
  readonly signal: AbortSignal
}

/**
 * The batches from the one with `offset` on. Throws LogError for what is not as it was written: a
 * batch that is written anew gets a new CRC, which must not hide that it was damaged.
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
