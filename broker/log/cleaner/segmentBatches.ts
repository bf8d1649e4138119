// Walks the batches of sealed segments for the cleaner, a limited number of bytes at a time: between
// two reads of the disk, everything else in the process has its turn.

import { RecordBatch } from '../../../protocol/kafka/recordBatch.ts'
import { LogError } from '../logError.ts'
import { batchSizeAt } from '../segment/batchWalk.ts'
import type { Segment } from '../segment/segment.ts'
import type { Pace } from './pace.ts'

export interface WalkOptions {
  /** How much is read at once; a batch larger than this is read for itself. */
  readonly chunkBytes: number
  readonly pace: Pace
  /** Ends the walk before its end. */
  readonly signal: AbortSignal
}

/** The batches from the one at `position` on. Throws LogError for what is no sound batch. */
export async function* segmentBatches(
  segment: Segment,
  position: number,
  { chunkBytes, pace, signal }: WalkOptions,
): AsyncGenerator<RecordBatch, void> {
  const { sizeBytes } = segment
  let wantedBytes = chunkBytes
  while (position < sizeBytes && !signal.aborted) {
    await pace.beforeRead(signal)
    const bytes = await segment.readAt(position, Math.min(wantedBytes, sizeBytes - position))
    pace.spend(bytes.length)
    const firstSize = batchSizeAt(bytes, 0)
    if (firstSize === undefined || firstSize > sizeBytes - position) {
      throw notCleanable(segment, position, 'there is no batch')
    }
    wantedBytes = Math.max(firstSize, chunkBytes)
    for (let at = 0; ; ) {
      const size = batchSizeAt(bytes, at)
      if (size === undefined || size > bytes.length - at) break
      const batch = new RecordBatch(bytes, at)
      // A batch that is written anew gets a new CRC, which must not hide that it was damaged.
      if (!batch.isCrcValid()) throw notCleanable(segment, position, 'the CRC does not match')
      await pace.beforeBatch(batch.recordCount, signal)
      yield batch
      at += size
      position += size
    }
  }
}

function notCleanable({ path }: Segment, position: number, detail: string): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${path} is damaged at byte ${position} (${detail}): the partition is not compacted until the ` +
      'file is restored from a copy and the broker is started again',
  )
}
