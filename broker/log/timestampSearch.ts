// Finds records by time in one segment: the time index says from which offset on to look, then the
// headers of batches, then the records of one batch. It reads no more than the batch it needs.

import { RecordBatch, recordBatchOverheadBytes } from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/recordCursor.ts'
import type { TimestampedOffset } from './readResult.ts'
import type { Segment } from './segment.ts'

/** What a batch may become when it is decompressed to look at its timestamps. */
const maxDecompressedBytes = 256 * 1024 * 1024
const chunkBytes = 64 * 1024

/** The offsets among which records are looked for. */
export interface OffsetRange {
  readonly from: number
  readonly until: number
}

/** The first record in the range at or after `timestampMs`. */
export async function firstAtOrAfter(
  segment: Segment,
  timestampMs: number,
  range: OffsetRange,
): Promise<TimestampedOffset | undefined> {
  const { times } = await segment.indexes()
  const entry = times.lookup(timestampMs - 1)
  const indexed = entry < 0 ? segment.baseOffset : times.offsetAt(entry)
  return await search(segment, range, timestampMs, Math.max(range.from, indexed))
}

/** The first record in the range with the segment's largest timestamp; undefined without one. */
export async function firstWithMaxTimestamp(
  segment: Segment,
  range: OffsetRange,
): Promise<TimestampedOffset | undefined> {
  const { maxTimestampMs, offsetOfMaxTimestamp } = await segment.indexes()
  if (maxTimestampMs < 0) return undefined
  return await search(segment, range, maxTimestampMs, Math.max(range.from, offsetOfMaxTimestamp))
}

/** Looks from the batch of `start` on: an index knows a batch by its last offset. */
async function search(
  segment: Segment,
  range: OffsetRange,
  timestampMs: number,
  start: number,
): Promise<TimestampedOffset | undefined> {
  const limit = segment.sizeBytes
  let position = await segment.locate(start, limit)
  while (position !== undefined && position + recordBatchOverheadBytes <= limit) {
    const bytes = await segment.readAt(position, Math.min(chunkBytes, limit - position))
    let at = 0
    while (bytes.length - at >= recordBatchOverheadBytes) {
      const header = new RecordBatch(bytes, at)
      if (header.baseOffset >= range.until) return undefined
      if (header.maxTimestamp >= timestampMs) {
        const batch = await wholeBatch(segment, header, position + at)
        const found = searchBatch(batch, timestampMs, range)
        if (found) return found
      }
      at += header.sizeInBytes
    }
    position += at
  }
  return undefined
}

async function wholeBatch(
  segment: Segment,
  header: RecordBatch,
  position: number,
): Promise<RecordBatch> {
  if (header.isComplete()) return header
  return new RecordBatch(await segment.readAt(position, header.sizeInBytes))
}

function searchBatch(
  batch: RecordBatch,
  timestampMs: number,
  range: OffsetRange,
): TimestampedOffset | undefined {
  const cursor = new RecordCursor(batch, maxDecompressedBytes)
  while (cursor.next()) {
    if (cursor.offset >= range.until) return undefined
    if (cursor.timestamp < timestampMs || cursor.offset < range.from) continue
    const { offset, timestamp } = cursor
    return { offset, timestampMs: timestamp, leaderEpoch: batch.partitionLeaderEpoch }
  }
  return undefined
}
