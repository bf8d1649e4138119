// Walks the headers of batches in bytes that come from our own segment files, to find where a batch
// ends and which offsets it holds. It believes the length fields as far as they stay inside the
// bytes; whether a batch is sound is recovery's question and the client's.

import { readInt64 } from '../../protocol/bytes/reader.ts'
import {
  batchLengthPrefixBytes,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../protocol/kafka/recordBatch.ts'

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

export interface WholeBatches {
  /** Where the last whole batch below the limit ends: 0 when there is none. */
  readonly end: number
  /** The offset after the last of them; -1 when there is none. */
  readonly nextOffset: number
  /** How many bytes the batch at `end` needs, when only their absence ended the walk; else 0. */
  readonly wantedBytes: number
}

/** The whole batches at the beginning of `bytes` that lie below `limitOffset`. */
export function wholeBatches(bytes: Buffer, limitOffset: number): WholeBatches {
  let end = 0
  let nextOffset = -1
  for (;;) {
    const size = batchSizeAt(bytes, end)
    if (size === undefined) return { end, nextOffset, wantedBytes: 0 }
    const lastOffset = lastOffsetAt(bytes, end)
    if (lastOffset >= limitOffset) return { end, nextOffset, wantedBytes: 0 }
    if (size > bytes.length - end) return { end, nextOffset, wantedBytes: size }
    nextOffset = lastOffset + 1
    end += size
  }
}
