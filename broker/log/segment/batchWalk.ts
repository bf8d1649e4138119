// Reads the headers of batches in bytes of segment files: where a batch ends, which offsets it has,
// and whether the header is valid. BatchOrder decides whether the offsets are plausible,
// soundBatches whether the batch is undamaged.

import { readInt64 } from '../../../protocol/bytes/reader.ts'
import {
  batchLengthPrefixBytes,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { assert } from '../../../protocol/runtime/assert.ts'

/** Bytes of a header that are needed to know the size and the offsets of a batch. */
export const walkHeaderBytes = RecordBatchField.lastOffsetDelta + 4

/** The size of the batch at `at`; undefined if its header is incomplete or invalid. */
export function batchSizeAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < walkHeaderBytes) return undefined
  const size = batchLengthPrefixBytes + bytes.readInt32BE(at + RecordBatchField.batchLength)
  return size >= recordBatchOverheadBytes ? size : undefined
}

export function baseOffsetAt(bytes: Buffer, at: number): number {
  return readInt64(bytes, at)
}

export function lastOffsetAt(bytes: Buffer, at: number): number {
  return readInt64(bytes, at) + bytes.readInt32BE(at + RecordBatchField.lastOffsetDelta)
}

/** Why the complete header at `at` is invalid; undefined if it is valid. */
export function headerDefect(bytes: Buffer, at: number): string | undefined {
  if (batchSizeAt(bytes, at) === undefined) return 'the batch length is invalid'
  if (bytes[at + RecordBatchField.magic] !== 2) return 'the magic of the batch is not 2'
  const lastOffset = lastOffsetAt(bytes, at)
  if (lastOffset < baseOffsetAt(bytes, at))
    return 'the last offset of the batch is less than its base offset'
  return lastOffset > Number.MAX_SAFE_INTEGER ? `offset ${lastOffset} is too large` : undefined
}

/** The offset after the last batch in `bytes`, which must hold whole batches, and at least one. */
export function endOfBatches(bytes: Buffer): number {
  let nextOffset = -1
  for (let at = 0; at < bytes.length; ) {
    const size = batchSizeAt(bytes, at)
    assert(size !== undefined, 'the bytes consist of whole batches')
    nextOffset = lastOffsetAt(bytes, at) + 1
    at += size
  }
  return nextOffset
}

/** Number of records by the headers of the batches. */
export function recordsIn(bytes: Buffer): number {
  let records = 0
  for (let at = 0; at < bytes.length; ) {
    const size = batchSizeAt(bytes, at)
    if (size === undefined) break
    records += bytes.readInt32BE(at + RecordBatchField.recordCount)
    at += size
  }
  return records
}
