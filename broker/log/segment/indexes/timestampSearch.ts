// Finds records by timestamp in one segment: the time index gives the offset to search from; then
// the headers of batches are read, then the records of one batch. Damaged batches are not used.

import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import { type RecordBatch, splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../../../protocol/kafka/records/recordCursor.ts'
import type { ReadLimits, TimestampedOffset } from '../../readResult.ts'
import type { Segment } from '../segment.ts'
import type { KnownEpochs } from '../soundBatches.ts'

/** Limit on the decompressed size of a batch whose timestamps are read. */
const maxDecompressedBytes = 256 * 1024 * 1024
const chunkBytes = 64 * 1024

/** The range of offsets to search. */
export interface OffsetRange {
  readonly from: number
  readonly until: number
  /** See ReadLimits. */
  readonly epochs: KnownEpochs | undefined
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

/** Searches from the batch of `start` on: an index entry has the last offset of its batch. */
async function search(
  segment: Segment,
  range: OffsetRange,
  timestampMs: number,
  start: number,
): Promise<TimestampedOffset | undefined> {
  const { sizeBytes } = segment
  for (let offset = start; ; ) {
    const bytes = await segment.read(offset, limitsOf(range, sizeBytes), sizeBytes)
    if (bytes.length === 0) return undefined
    for (const batch of splitBatches(bytes)) {
      offset = batch.nextOffset
      if (batch.maxTimestamp < timestampMs) continue
      const found = searchBatch(batch, timestampMs, range)
      if (found) return found
    }
  }
}

function limitsOf({ until, epochs }: OffsetRange, activeBytes: number): ReadLimits {
  const allocate = Buffer.allocUnsafeSlow
  const nowMs = undefined
  const bounds = { maxBytes: chunkBytes, minOneBatch: true, offset: until, activeBytes }
  return { ...bounds, allocate, epochs, nowMs }
}

/**
 * Clients may have sent batches with a right checksum whose records cannot be read. A search for
 * the time of such a batch returns its start.
 */
function searchBatch(
  batch: RecordBatch,
  timestampMs: number,
  range: OffsetRange,
): TimestampedOffset | undefined {
  try {
    return searchRecords(batch, timestampMs, range)
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
  }
  const { maxTimestamp, lastOffset, partitionLeaderEpoch } = batch
  const offset = Math.max(batch.baseOffset, range.from)
  if (offset > lastOffset || offset >= range.until) return undefined
  return { offset, timestampMs: sendable(maxTimestamp), leaderEpoch: partitionLeaderEpoch }
}

function searchRecords(
  batch: RecordBatch,
  timestampMs: number,
  range: OffsetRange,
): TimestampedOffset | undefined {
  const cursor = new RecordCursor(batch, maxDecompressedBytes)
  while (cursor.next()) {
    if (cursor.offset >= range.until) return undefined
    if (cursor.timestamp < timestampMs || cursor.offset < range.from) continue
    const { offset, timestamp } = cursor
    return { offset, timestampMs: sendable(timestamp), leaderEpoch: batch.partitionLeaderEpoch }
  }
  return undefined
}

/**
 * A timestamp computed from a record's delta may exceed the integers that a number can represent.
 */
function sendable(timestampMs: number): number {
  return Math.min(timestampMs, Number.MAX_SAFE_INTEGER)
}
