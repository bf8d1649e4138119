// Iterates over the records of a batch in place. `next` moves to a record and sets fields with the
// positions of its parts: nothing is allocated per record. Every length is checked against its
// record, and every record against the batch: malformed input throws MalformedError and never
// causes a read beyond its end. A compressed batch is decompressed completely on first use.

import { Compression, decompress } from '../../bytes/compression.ts'
import { MalformedError } from '../../bytes/malformed.ts'
import { ByteReader } from '../../bytes/reader.ts'
import { type RecordBatch, recordBatchOverheadBytes } from './recordBatch.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record extracted from its batch. `key` and `value` are views, not copies. */
export interface Record {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

/**
 * Minimum record size: attributes, two deltas, lengths of key and value, number of headers, one
 * byte each.
 */
const shortestRecordBytes = 6
/** Minimum header size: the lengths of key and value. */
const shortestHeaderBytes = 2
const nowhere = Buffer.alloc(0)

export class RecordCursor {
  readonly #batch: RecordBatch
  readonly #maxDecompressedBytes: number
  readonly #baseOffset: number
  readonly #baseTimestamp: number
  readonly #lastOffsetDelta: number
  /** With log append time all records have the batch's timestamp; undefined with create time. */
  readonly #appendTimestamp: number | undefined
  readonly #recordCount: number
  #bytes: Buffer = nowhere
  #isOpen = false
  #position = 0
  #end = 0
  #taken = 0

  /** Field of the current record, like all below; undefined before the first `next`. */
  offset = -1
  /** Milliseconds since the epoch. */
  timestamp = -1
  /** Index in `bytes`; -1 for a null key. */
  keyStart = -1
  keyEnd = -1
  /** Index in `bytes`; -1 for a null value. */
  valueStart = -1
  valueEnd = -1
  headerCount = 0
  headersStart = 0
  /** Index of the whole record in `bytes`, including its length. */
  recordStart = 0
  recordEnd = 0
  /** Index in `bytes` after the deltas: the key length. */
  fieldsStart = 0

  /**
   * Throws MalformedError if the batch is incomplete or its record count is negative. `records` are
   * its uncompressed records, if the caller has them already.
   */
  constructor(batch: RecordBatch, maxDecompressedBytes: number, records?: Buffer) {
    if (!batch.isComplete()) throw new MalformedError('truncated record batch')
    this.#batch = batch
    this.#maxDecompressedBytes = maxDecompressedBytes
    this.#baseOffset = batch.baseOffset
    this.#baseTimestamp = batch.baseTimestamp
    this.#lastOffsetDelta = batch.lastOffsetDelta
    this.#appendTimestamp = batch.timestampType === 'logAppend' ? batch.maxTimestamp : undefined
    this.#recordCount = batch.recordCount
    if (this.#recordCount < 0) throw new MalformedError(`${this.#recordCount} records`)
    if (!records) return
    this.#bytes = records
    this.#end = records.length
    this.#isOpen = true
  }

  /** The buffer of the indexes: the batch's own memory, or the decompressed records. */
  get bytes(): Buffer {
    if (!this.#isOpen) this.#open()
    return this.#bytes
  }

  /** Moves to the next record; false at the end. */
  next(): boolean {
    if (!this.#isOpen) this.#open()
    if (this.#taken === this.#recordCount) return this.#finish()
    this.#taken++
    this.recordStart = this.#position
    const length = this.#varint(this.#end)
    if (length < shortestRecordBytes || length > this.#end - this.#position) {
      throw new MalformedError(`record of ${length} bytes, ${this.#end - this.#position} left`)
    }
    const end = this.#position + length
    this.#position++ // a byte of attributes, none of which is in use
    this.#readPlace(end)
    this.fieldsStart = this.#position
    this.#readFields(end)
    this.#position = end
    this.recordEnd = end
    return true
  }

  /** The headers of the current record; values are views. */
  headers(): RecordHeader[] {
    return recordHeaders(this.#bytes, this.headersStart, this.#position, this.headerCount)
  }

  #open(): void {
    const { bytes, start, compression, sizeInBytes } = this.#batch
    const recordsStart = start + recordBatchOverheadBytes
    const end = start + sizeInBytes
    if (compression === Compression.none) {
      this.#bytes = bytes
      this.#position = recordsStart
      this.#end = end
    } else {
      const compressed = bytes.subarray(recordsStart, end)
      this.#bytes = decompress(compression, compressed, this.#maxDecompressedBytes)
      this.#end = this.#bytes.length
    }
    this.#isOpen = true
  }

  #finish(): false {
    if (this.#position !== this.#end) throw new MalformedError('bytes after the last record')
    return false
  }

  #readPlace(end: number): void {
    const timestampDelta = this.#varlong(end)
    const offsetDelta = this.#varint(end)
    if (offsetDelta < 0 || offsetDelta > this.#lastOffsetDelta) {
      throw new MalformedError(`record offset delta ${offsetDelta} of ${this.#lastOffsetDelta}`)
    }
    this.offset = this.#baseOffset + offsetDelta
    this.timestamp = this.#appendTimestamp ?? this.#baseTimestamp + timestampDelta
  }

  #readFields(end: number): void {
    const keyBytes = this.#varint(end)
    this.keyStart = keyBytes < 0 ? -1 : this.#position
    this.keyEnd = keyBytes < 0 ? -1 : this.#skip(keyBytes, end)
    const valueBytes = this.#varint(end)
    this.valueStart = valueBytes < 0 ? -1 : this.#position
    this.valueEnd = valueBytes < 0 ? -1 : this.#skip(valueBytes, end)
    this.headerCount = this.#varint(end)
    this.headersStart = this.#position
    const headersBytes = end - this.#position
    if (this.headerCount < 0 || this.headerCount * shortestHeaderBytes > headersBytes) {
      throw new MalformedError(`${this.headerCount} record headers in ${headersBytes} bytes`)
    }
    if (this.headerCount === 0 && headersBytes > 0) {
      throw new MalformedError('record longer than its fields')
    }
  }

  /** Skips a field of the record that ends at `end`; returns the end of the field. */
  #skip(length: number, end: number): number {
    if (length > end - this.#position) {
      throw new MalformedError(`field of ${length} bytes, ${end - this.#position} left in record`)
    }
    this.#position += length
    return this.#position
  }

  #varint(end: number): number {
    const at = this.#position
    if (at < end) {
      const byte = this.#bytes[at]!
      if (byte < 0x80) {
        this.#position = at + 1
        return (byte >>> 1) ^ -(byte & 1)
      }
    }
    return this.#longVarint(end)
  }

  #longVarint(end: number): number {
    let zigzag = 0
    let at = this.#position
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= end) throw new MalformedError('truncated varint')
      const byte = this.#bytes[at++]!
      zigzag |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (shift === 28 && byte > 0x0f) throw new MalformedError('varint over 32 bits')
      this.#position = at
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    throw new MalformedError('varint over 5 bytes')
  }

  /** Up to four bytes (37 hours in ms) are read like a varint. */
  #varlong(end: number): number {
    const fourth = this.#position + 3
    const bytes = this.#bytes
    if (
      fourth < end &&
      (bytes[fourth]! < 0x80 ||
        bytes[fourth - 1]! < 0x80 ||
        bytes[fourth - 2]! < 0x80 ||
        bytes[fourth - 3]! < 0x80)
    ) {
      return this.#varint(end)
    }
    const reader = new ByteReader(bytes, this.#position, end)
    const value = reader.varlong()
    this.#position = reader.position
    return value
  }
}

/** The `count` headers in `bytes[start, end)`; values are views. Throws MalformedError. */
export function recordHeaders(
  bytes: Buffer,
  start: number,
  end: number,
  count: number,
): RecordHeader[] {
  const headers: RecordHeader[] = []
  if (count === 0) return headers
  const reader = new ByteReader(bytes, start, end)
  for (let left = count; left > 0; left--) {
    const key = reader.utf8(reader.varint())
    const valueBytes = reader.varint()
    headers.push({ key, value: valueBytes < 0 ? null : reader.view(valueBytes) })
  }
  if (reader.remaining > 0) throw new MalformedError('record longer than its headers')
  return headers
}

/** Yields the records as objects: for tests, tools and rarely read topics. */
export function* records(
  batch: RecordBatch,
  maxDecompressedBytes: number,
): Generator<Record, void> {
  const cursor = new RecordCursor(batch, maxDecompressedBytes)
  while (cursor.next()) {
    const { bytes, offset, timestamp, keyStart, keyEnd, valueStart, valueEnd } = cursor
    yield {
      offset,
      timestamp,
      key: keyStart < 0 ? null : bytes.subarray(keyStart, keyEnd),
      value: valueStart < 0 ? null : bytes.subarray(valueStart, valueEnd),
      headers: cursor.headers(),
    }
  }
}
