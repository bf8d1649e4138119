// Rewrites batches with fewer records, for compaction. Offsets, producer, epochs and sequence
// numbers are unchanged, so that consumers and the producer state see the same batch. Records are
// copied and not decoded.

import { type Compression, compress } from '../../../protocol/bytes/compression.ts'
import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { writeInt64 } from '../../../protocol/bytes/reader.ts'
import {
  batchLengthPrefixBytes,
  type RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import {
  varintBytes,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from '../../../protocol/kafka/records/recordVarint.ts'

/** A record to keep: its position among the decompressed records of its batch. */
export interface KeptRecord {
  readonly offset: number
  readonly timestamp: number
  /** Start of the whole record. */
  readonly start: number
  readonly end: number
  /** Start of its key: the fields before it depend on the batch. */
  readonly fieldsStart: number
}

/** A batch whose records are all removed: keeps the producer and the last offset. */
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
 * The batch with only the records `kept`, which are in `bytes`. `newHorizonMs` is set if the batch
 * gets its delete horizon now, which replaces the base timestamp (KIP-534).
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

/** The records with timestamp deltas relative to `baseTimestamp`. */
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
