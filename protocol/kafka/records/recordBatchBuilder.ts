// Builds record batches (magic 2) in one growing buffer: space for the header is reserved and
// filled in by `build`. Agents call `appendRange` millions of times a second: nothing is allocated
// per record, and the finished buffer is handed over without a copy.

import { Compression, compress } from '../../bytes/compression.ts'
import { crc32c } from '../../bytes/crc32c.ts'
import { asBuffer, writeInt64 } from '../../bytes/reader.ts'
import { assert } from '../../runtime/assert.ts'
import {
  batchLengthPrefixBytes,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
  sequenceAfter,
} from './recordBatch.ts'
import type { RecordHeader } from './recordCursor.ts'
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from './recordVarint.ts'

export interface RecordBatchOptions {
  readonly compression?: Compression
  /** Default: -1, for a producer that is not idempotent. */
  readonly producerId?: number
  readonly producerEpoch?: number
  /**
   * Sequence of the first batch; `build` advances it by the number of records, as idempotent
   * producers must.
   */
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** Initial buffer size; it grows by doubling. */
  readonly capacityBytes?: number
}

const smallestCapacityBytes = 512
/** Maximum size of a record without key, value and headers: two lengths, attributes, deltas. */
const mostRecordOverheadBytes = 40
/** Shorter values are copied in a loop: a native call costs as much. */
const loopBytes = 32
const largestBatchBytes = 2 ** 31 - 1

export class RecordBatchBuilder {
  readonly #compression: Compression
  readonly #attributes: number
  readonly #producerId: number
  readonly #producerEpoch: number
  #baseSequence: number
  #bytes: Buffer
  #length = recordBatchOverheadBytes
  #recordCount = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  constructor(options: RecordBatchOptions = {}) {
    this.#compression = options.compression ?? Compression.none
    this.#attributes =
      this.#compression |
      (options.isTransactional ? RecordBatchAttribute.transactional : 0) |
      (options.isControl ? RecordBatchAttribute.control : 0)
    this.#producerId = options.producerId ?? -1
    this.#producerEpoch = options.producerEpoch ?? -1
    this.#baseSequence = options.baseSequence ?? -1
    this.#bytes = newBuffer(options.capacityBytes ?? smallestCapacityBytes)
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Size with the header, before compression. */
  get sizeInBytes(): number {
    return this.#length
  }

  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[] = [],
  ): void {
    const timestampDelta = this.#admit(timestampMs)
    const offsetDelta = this.#recordCount
    const bodyBytes =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(offsetDelta) +
      fieldBytes(key) +
      fieldBytes(value) +
      headersBytes(headers)
    const bytes = this.#reserve(varintBytes(bodyBytes) + bodyBytes)
    let at = writeVarint(bytes, this.#length, bodyBytes)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, offsetDelta)
    at = writeField(bytes, at, key)
    at = writeField(bytes, at, value)
    this.#length = writeHeaders(bytes, at, headers)
    this.#recordCount++
  }

  /**
   * Appends a record with the value `source[start, end)`, without key and headers: the hot path.
   */
  appendRange(timestampMs: number, source: Buffer, start: number, end: number): void {
    const timestampDelta = this.#admit(timestampMs)
    const offsetDelta = this.#recordCount++
    const valueBytes = end - start
    // Attributes, the null key (-1 as a varint) and the number of headers: one byte each.
    const bodyBytes =
      3 +
      varlongBytes(timestampDelta) +
      varintBytes(offsetDelta) +
      varintBytes(valueBytes) +
      valueBytes
    const bytes = this.#reserve(mostRecordOverheadBytes + valueBytes)
    let at = this.#length
    at = writeVarint(bytes, at, bodyBytes)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, offsetDelta)
    bytes[at++] = 1
    at = writeVarint(bytes, at, valueBytes)
    if (valueBytes <= loopBytes) {
      for (let from = start; from < end; from++) bytes[at++] = source[from]!
    } else {
      source.copy(bytes, at, start, end)
      at += valueBytes
    }
    bytes[at++] = 0
    this.#length = at
  }

  /** Returns the finished batch, which the caller owns, and resets the builder. */
  build(): Buffer {
    assert(this.#recordCount > 0, 'a batch has at least one record')
    const batch = this.#compression === Compression.none ? this.#handOver() : this.#compressed()
    this.#fillHeader(batch)
    if (this.#baseSequence >= 0) {
      this.#baseSequence = sequenceAfter(this.#baseSequence, this.#recordCount)
    }
    this.#length = recordBatchOverheadBytes
    this.#recordCount = 0
    return batch
  }

  /** Records the timestamp; returns its delta to the base timestamp of the batch. */
  #admit(timestampMs: number): number {
    if (this.#recordCount === 0) {
      this.#baseTimestamp = timestampMs
      this.#maxTimestamp = timestampMs
      return 0
    }
    if (timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs
    return timestampMs - this.#baseTimestamp
  }

  /** Reserves `more` bytes and returns the memory; the caller writes at `#length`. */
  #reserve(more: number): Buffer {
    const wanted = this.#length + more
    if (wanted > this.#bytes.length) this.#grow(wanted)
    return this.#bytes
  }

  #grow(wanted: number): void {
    assert(wanted <= largestBatchBytes, 'a batch stays under 2 GiB')
    const old = this.#bytes
    this.#bytes = newBuffer(Math.max(wanted, old.length * 2))
    old.copy(this.#bytes, 0, 0, this.#length)
  }

  /** Hands over the buffer and allocates another one of a size for a similar batch. */
  #handOver(): Buffer {
    const batch = this.#bytes.subarray(0, this.#length)
    this.#bytes = newBuffer(this.#length + mostRecordOverheadBytes)
    return batch
  }

  #compressed(): Buffer {
    const records = compress(
      this.#compression,
      this.#bytes.subarray(recordBatchOverheadBytes, this.#length),
    )
    const batch = Buffer.allocUnsafeSlow(recordBatchOverheadBytes + records.length)
    records.copy(batch, recordBatchOverheadBytes)
    return batch
  }

  #fillHeader(batch: Buffer): void {
    writeInt64(batch, RecordBatchField.baseOffset, 0)
    batch.writeInt32BE(batch.length - batchLengthPrefixBytes, RecordBatchField.batchLength)
    batch.writeInt32BE(-1, RecordBatchField.partitionLeaderEpoch)
    batch.writeInt8(2, RecordBatchField.magic)
    batch.writeInt16BE(this.#attributes, RecordBatchField.attributes)
    batch.writeInt32BE(this.#recordCount - 1, RecordBatchField.lastOffsetDelta)
    writeInt64(batch, RecordBatchField.baseTimestamp, this.#baseTimestamp)
    writeInt64(batch, RecordBatchField.maxTimestamp, this.#maxTimestamp)
    writeInt64(batch, RecordBatchField.producerId, this.#producerId)
    batch.writeInt16BE(this.#producerEpoch, RecordBatchField.producerEpoch)
    batch.writeInt32BE(this.#baseSequence, RecordBatchField.baseSequence)
    batch.writeInt32BE(this.#recordCount, RecordBatchField.recordCount)
    batch.writeUInt32BE(crc32c(batch, RecordBatchField.attributes), RecordBatchField.crc)
  }
}

/** Not from Node's shared pool: a slice would keep 64 KiB of unrelated data alive. */
function newBuffer(capacityBytes: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.max(capacityBytes, smallestCapacityBytes))
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length
}

function headersBytes(headers: readonly RecordHeader[]): number {
  let total = varintBytes(headers.length)
  for (const { key, value } of headers) {
    const keyBytes = Buffer.byteLength(key)
    total += varintBytes(keyBytes) + keyBytes + fieldBytes(value)
  }
  return total
}

function writeField(bytes: Buffer, at: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(bytes, at, -1)
  at = writeVarint(bytes, at, field.length)
  asBuffer(field).copy(bytes, at)
  return at + field.length
}

function writeHeaders(bytes: Buffer, at: number, headers: readonly RecordHeader[]): number {
  at = writeVarint(bytes, at, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(bytes, at, Buffer.byteLength(key))
    at += bytes.write(key, at, 'utf8')
    at = writeField(bytes, at, value)
  }
  return at
}
