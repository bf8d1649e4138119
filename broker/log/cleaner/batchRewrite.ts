// Batches with fewer records than they had, as compaction leaves them: offsets, producer, epochs
// and sequence numbers stay what they were, so that consumers and producer state see the same
// batch. No record is looked into; what stays is copied.

import { type Compression, compress } from '../../../protocol/bytes/compression.ts'
import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { writeInt64 } from '../../../protocol/bytes/reader.ts'
import {
  batchLengthPrefixBytes,
  type RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/recordBatch.ts'
import {
  varintBytes,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from '../../../protocol/kafka/recordVarint.ts'

/** A record that stays: where it lies among the records of its batch, decompressed. */
export interface KeptRecord {
  readonly offset: number
  readonly timestamp: number
  /** Of the whole record. */
  readonly start: number
  readonly end: number
  /** Where its key begins: what comes before depends on the batch. */
  readonly fieldsStart: number
}

/** What a batch still says when all its records are gone: who wrote it, and up to which offset. */
export function emptiedBatch(batch: RecordBatch): Buffer {
  const { compressionMask, deleteHorizon } = RecordBatchAttribute
  const header = copyHeader(batch, recordBatchOverheadBytes)
  header.writeInt16BE(
    batch.attributes & ~(compressionMask | deleteHorizon),
    RecordBatchField.attributes,
  )
  writeInt64(header, RecordBatchField.baseTimestamp, -1)
  return seal(header, 0)
}

/**
 * The batch with only `kept` of its records, which lie in `bytes`. `newHorizonMs` is set when the
 * batch gets its delete horizon now: it takes the place of the base timestamp (KIP-534).
 */
export function rewrittenBatch(
  batch: RecordBatch,
  bytes: Buffer,
  kept: readonly KeptRecord[],
  newHorizonMs: number | undefined,
): Buffer {
  const plain =
    newHorizonMs === undefined
      ? copyRecords(bytes, kept)
      : rebaseRecords(bytes, kept, batch.baseOffset, newHorizonMs)
  const records = compress(batch.compression as Compression, plain)
  const rewritten = copyHeader(batch, recordBatchOverheadBytes + records.length)
  records.copy(rewritten, recordBatchOverheadBytes)
  if (newHorizonMs !== undefined) {
    const attributes = batch.attributes | RecordBatchAttribute.deleteHorizon
    rewritten.writeInt16BE(attributes, RecordBatchField.attributes)
    writeInt64(rewritten, RecordBatchField.baseTimestamp, newHorizonMs)
  }
  const maxTimestamp = kept.reduce((max, { timestamp }) => Math.max(max, timestamp), -1)
  writeInt64(rewritten, RecordBatchField.maxTimestamp, maxTimestamp)
  return seal(rewritten, kept.length)
}

function copyHeader(batch: RecordBatch, sizeBytes: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(sizeBytes)
  batch.bytes.copy(copy, 0, batch.start, batch.start + recordBatchOverheadBytes)
  return copy
}

function seal(batch: Buffer, recordCount: number): Buffer {
  batch.writeInt32BE(batch.length - batchLengthPrefixBytes, RecordBatchField.batchLength)
  batch.writeInt32BE(recordCount, RecordBatchField.recordCount)
  batch.writeUInt32BE(crc32c(batch, RecordBatchField.attributes), RecordBatchField.crc)
  return batch
}

function copyRecords(bytes: Buffer, kept: readonly KeptRecord[]): Buffer {
  return Buffer.concat(kept.map(({ start, end }) => bytes.subarray(start, end)))
}

/** The records with their timestamps counted from `baseTimestamp`. */
function rebaseRecords(
  bytes: Buffer,
  kept: readonly KeptRecord[],
  baseOffset: number,
  baseTimestamp: number,
): Buffer {
  const sizes = kept.map((record) => rebasedBytes(record, baseOffset, baseTimestamp))
  const total = sizes.reduce((sum, size) => sum + varintBytes(size) + size, 0)
  const rebased = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (const [number, { offset, timestamp, fieldsStart, end }] of kept.entries()) {
    at = writeVarint(rebased, at, sizes[number]!)
    rebased[at++] = 0
    at = writeVarlong(rebased, at, timestamp - baseTimestamp)
    at = writeVarint(rebased, at, offset - baseOffset)
    at += bytes.copy(rebased, at, fieldsStart, end)
  }
  return rebased
}

function rebasedBytes(record: KeptRecord, baseOffset: number, baseTimestamp: number): number {
  const { offset, timestamp, fieldsStart, end } = record
  return (
    1 +
    varlongBytes(timestamp - baseTimestamp) +
    varintBytes(offset - baseOffset) +
    end -
    fieldsStart
  )
}
