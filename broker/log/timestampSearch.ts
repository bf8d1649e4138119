// Finds records by time in one segment: the time index says from which offset on to look, then the
// headers of batches, then the records of one batch. It reads no more than the batch it needs.

import { RecordBatch, recordBatchOverheadBytes } from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/recordCursor.ts'
import type { TimestampedOffset } from './readResult.ts'
import type { Segment } from './segment.ts'

/** What a batch may become when it is decompressed to look at its timestamps. */
const maxDecompressedBytes = 256 * 1024 * 1024
const chunkBytes = 64 * 1024

/** The first record at or after `timestampMs` that lies below `limitOffset`. */
export async function firstAtOrAfter(
  segment: Segment,
  timestampMs: number,
  limitOffset: number,
): Promise<TimestampedOffset | undefined> {
  const { times } = await segment.indexes()
  const entry = times.lookup(timestampMs - 1)
  const from = entry < 0 ? segment.baseOffset : times.offsetAt(entry)
  return await search(segment, from, limitOffset, timestampMs)
}

/** The first record with the segment's largest timestamp; undefined when no record has one. */
export async function firstWithMaxTimestamp(
  segment: Segment,
  limitOffset: number,
): Promise<TimestampedOffset | undefined> {
  const { maxTimestampMs, offsetOfMaxTimestamp } = await segment.indexes()
  if (maxTimestampMs < 0) return undefined
  return await search(segment, offsetOfMaxTimestamp, limitOffset, maxTimestampMs)
}

async function search(
  segment: Segment,
  fromOffset: number,
  limitOffset: number,
  timestampMs: number,
): Promise<TimestampedOffset | undefined> {
  const limit = segment.sizeBytes
  let position = await segment.locate(fromOffset, limit)
  while (position !== undefined && position + recordBatchOverheadBytes <= limit) {
    const bytes = await segment.readAt(position, Math.min(chunkBytes, limit - position))
    let at = 0
    while (bytes.length - at >= recordBatchOverheadBytes) {
      const header = new RecordBatch(bytes, at)
      if (header.baseOffset >= limitOffset) return undefined
      if (header.maxTimestamp >= timestampMs) {
        const batch = await wholeBatch(segment, header, position + at)
        const found = searchBatch(batch, timestampMs, limitOffset)
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
  limitOffset: number,
): TimestampedOffset | undefined {
  const cursor = new RecordCursor(batch, maxDecompressedBytes)
  while (cursor.next()) {
    if (cursor.offset >= limitOffset) return undefined
    if (cursor.timestamp < timestampMs) continue
    const { offset, timestamp } = cursor
    return { offset, timestampMs: timestamp, leaderEpoch: batch.partitionLeaderEpoch }
  }
  return undefined
}
