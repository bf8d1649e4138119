// Walks the headers of batches in bytes that come from our own segment files, to find where a batch
// ends and which offsets it holds. It says so when a header is none, or offsets go back; whether what
// follows a header is sound is recovery's question and the client's.

import { readInt64 } from '../../../protocol/bytes/reader.ts'
import {
  batchLengthPrefixBytes,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/recordBatch.ts'

/** Bytes of a header that have to be there to know a batch's size and offsets. */
export const walkHeaderBytes = RecordBatchField.lastOffsetDelta + 4

/** The size of the batch at `at`; undefined when its header is not there or not one. */
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

/**
 * Walks over the batches in `bytes` that end below `offset`, and returns where the first other one
 * starts: past the end of `bytes` when that one is beyond them, and less than `walkHeaderBytes`
 * before the end when too little of it is there to tell. Stops at what is no batch.
 */
export function walkTo(bytes: Buffer, offset: number): number {
  let at = 0
  for (;;) {
    const size = batchSizeAt(bytes, at)
    if (size === undefined || lastOffsetAt(bytes, at) >= offset) return at
    if (headerDefect(bytes, at, -1) !== undefined) return at
    at += size
  }
}

export interface WholeBatches {
  /** Where the last whole batch within the limits ends: the start when there is none. */
  readonly end: number
  /** The offset after the last of them; -1 when there is none. */
  readonly nextOffset: number
  /** The size of the batch at `end`, when it lies below the limit of offsets but is too large. */
  readonly wantedBytes: number
  /** Why what is at `end` cannot have been written there; undefined when it can. */
  readonly defect: string | undefined
}

/**
 * The whole batches in `bytes` from `start` on that lie below `limitOffset` and take no more than
 * `maxBytes`.
 */
export function wholeBatches(
  bytes: Buffer,
  start: number,
  maxBytes: number,
  limitOffset: number,
): WholeBatches {
  const limit = Math.min(bytes.length, start + maxBytes)
  let end = start
  let nextOffset = -1
  while (bytes.length - end >= walkHeaderBytes) {
    const defect = headerDefect(bytes, end, nextOffset)
    if (defect !== undefined) return { end, nextOffset, wantedBytes: 0, defect }
    const size = batchSizeAt(bytes, end)!
    const lastOffset = lastOffsetAt(bytes, end)
    if (lastOffset >= limitOffset) break
    if (size > limit - end) return { end, nextOffset, wantedBytes: size, defect: undefined }
    nextOffset = lastOffset + 1
    end += size
  }
  return { end, nextOffset, wantedBytes: 0, defect: undefined }
}

/** Why the header at `at`, which is there whole, is none that can follow `nextOffset - 1`. */
export function headerDefect(bytes: Buffer, at: number, nextOffset: number): string | undefined {
  if (batchSizeAt(bytes, at) === undefined) return 'no batch has such a length'
  if (bytes[at + RecordBatchField.magic] !== 2) return 'no batch begins here'
  const baseOffset = baseOffsetAt(bytes, at)
  if (baseOffset < nextOffset) return `offset ${baseOffset} after ${nextOffset - 1}`
  const lastOffset = lastOffsetAt(bytes, at)
  if (lastOffset < baseOffset) return 'the batch ends before it begins'
  return lastOffset > Number.MAX_SAFE_INTEGER ? `no offset is ${lastOffset}` : undefined
}

/** The offset after the last batch in `bytes`, which holds whole batches only, and at least one. */
export function endOfBatches(bytes: Buffer): number {
  return wholeBatches(bytes, 0, bytes.length, Number.MAX_SAFE_INTEGER).nextOffset
}
