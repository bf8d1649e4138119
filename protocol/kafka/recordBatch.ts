// A record batch (magic 2) where it lies: a view of its 61-byte header, read and changed in place.
// The broker stores the bytes as they came; nothing here looks into the records, and nothing
// copies them. The records are RecordCursor's, new batches RecordBatchBuilder's.
//
// A view may be of bytes from outside that have not been checked: the getters of fields return
// whatever is there, `validateBatch` says whether it can be believed.

import { Compression } from '../bytes/compression.ts'
import { crc32c } from '../bytes/crc32c.ts'
import { MalformedError } from '../bytes/malformed.ts'
import { readInt64, writeInt64 } from '../bytes/reader.ts'

/** Where each header field begins, counted from the start of the batch. */
export const RecordBatchField = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const

/** The bits of the `attributes` field. */
export const RecordBatchAttribute = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  /** The base timestamp is the delete horizon (KIP-534): set by compaction, never by a producer. */
  deleteHorizon: 0x40,
} as const

/** The header: everything before the first record. */
export const recordBatchOverheadBytes = 61
/** Base offset and length field, which the length field does not count. */
export const batchLengthPrefixBytes = 12
/** The CRC covers everything from here to the end of the batch. */
const crcStart = RecordBatchField.attributes

export type TimestampType = 'create' | 'logAppend'

export class RecordBatch {
  readonly bytes: Buffer
  /** Index in `bytes` of the batch's first byte, its base offset. */
  readonly start: number

  /** Throws MalformedError unless a whole header is there; the records need not be. */
  constructor(bytes: Buffer, start = 0) {
    if (bytes.length - start < recordBatchOverheadBytes) {
      throw new MalformedError(`record batch header cut short: ${bytes.length - start} bytes`)
    }
    this.bytes = bytes
    this.start = start
  }

  get baseOffset(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.baseOffset)
  }

  /** Set in place; not covered by the CRC. */
  set baseOffset(offset: number) {
    writeInt64(this.bytes, this.start + RecordBatchField.baseOffset, offset)
  }

  /** Of the whole batch with its header. */
  get sizeInBytes(): number {
    return batchLengthPrefixBytes + this.#int32(RecordBatchField.batchLength)
  }

  get partitionLeaderEpoch(): number {
    return this.#int32(RecordBatchField.partitionLeaderEpoch)
  }

  /** Set in place; not covered by the CRC. */
  set partitionLeaderEpoch(epoch: number) {
    this.bytes.writeInt32BE(epoch, this.start + RecordBatchField.partitionLeaderEpoch)
  }

  get magic(): number {
    return this.bytes.readInt8(this.start + RecordBatchField.magic)
  }

  get crc(): number {
    return this.bytes.readUInt32BE(this.start + RecordBatchField.crc)
  }

  get attributes(): number {
    return this.bytes.readInt16BE(this.start + RecordBatchField.attributes)
  }

  get compression(): Compression {
    return (this.attributes & RecordBatchAttribute.compressionMask) as Compression
  }

  get timestampType(): TimestampType {
    return this.attributes & RecordBatchAttribute.logAppendTime ? 'logAppend' : 'create'
  }

  get isTransactional(): boolean {
    return (this.attributes & RecordBatchAttribute.transactional) !== 0
  }

  get isControl(): boolean {
    return (this.attributes & RecordBatchAttribute.control) !== 0
  }

  get lastOffsetDelta(): number {
    return this.#int32(RecordBatchField.lastOffsetDelta)
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  /** The offset after this batch's last one. */
  get nextOffset(): number {
    return this.lastOffset + 1
  }

  get baseTimestamp(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.baseTimestamp)
  }

  get maxTimestamp(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.maxTimestamp)
  }

  /** When compaction may drop the batch's tombstones or its marker; undefined before its first. */
  get deleteHorizonMs(): number | undefined {
    const isSet = (this.attributes & RecordBatchAttribute.deleteHorizon) !== 0
    return isSet ? this.baseTimestamp : undefined
  }

  /** -1 when the producer is not idempotent. */
  get producerId(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.producerId)
  }

  get producerEpoch(): number {
    return this.bytes.readInt16BE(this.start + RecordBatchField.producerEpoch)
  }

  get baseSequence(): number {
    return this.#int32(RecordBatchField.baseSequence)
  }

  /** Sequences wrap from 2^31 - 1 to 0. */
  get lastSequence(): number {
    return this.baseSequence < 0 ? -1 : sequenceAfter(this.baseSequence, this.lastOffsetDelta)
  }

  /** How many records there are: fewer than offsets when the log has been compacted. */
  get recordCount(): number {
    return this.#int32(RecordBatchField.recordCount)
  }

  /** Changes the timestamp type and the maximum timestamp, and the CRC with them. */
  setMaxTimestamp(type: TimestampType, timestampMs: number): void {
    const { logAppendTime } = RecordBatchAttribute
    const others = this.attributes & ~logAppendTime
    const attributes = type === 'logAppend' ? others | logAppendTime : others
    this.bytes.writeInt16BE(attributes, this.start + RecordBatchField.attributes)
    writeInt64(this.bytes, this.start + RecordBatchField.maxTimestamp, timestampMs)
    this.#updateCrc()
  }

  /** Changes who produced the batch, and the CRC with it. */
  setProducer(producerId: number, producerEpoch: number, baseSequence: number): void {
    writeInt64(this.bytes, this.start + RecordBatchField.producerId, producerId)
    this.bytes.writeInt16BE(producerEpoch, this.start + RecordBatchField.producerEpoch)
    this.bytes.writeInt32BE(baseSequence, this.start + RecordBatchField.baseSequence)
    this.#updateCrc()
  }

  /** Whether all bytes that the length field promises are there. */
  isComplete(): boolean {
    const size = this.sizeInBytes
    return size >= recordBatchOverheadBytes && size <= this.bytes.length - this.start
  }

  /** False, too, for a batch that is not complete. */
  isCrcValid(): boolean {
    return this.isComplete() && this.crc === this.#computeCrc()
  }

  #int32(field: number): number {
    return this.bytes.readInt32BE(this.start + field)
  }

  #computeCrc(): number {
    return crc32c(this.bytes, this.start + crcStart, this.start + this.sizeInBytes)
  }

  #updateCrc(): void {
    this.bytes.writeUInt32BE(this.#computeCrc(), this.start + RecordBatchField.crc)
  }
}

/** The sequence `count` places after `sequence`: Kafka's wrap from 2^31 - 1 to 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}

/**
 * The whole batches in `bytes[start, end)`, one after another. Stops before a partial one at the end,
 * which every fetch response may have; throws MalformedError for a length no batch can have.
 */
export function* splitBatches(
  bytes: Buffer,
  start = 0,
  end = bytes.length,
): Generator<RecordBatch, void> {
  while (end - start >= batchLengthPrefixBytes) {
    const size = batchLengthPrefixBytes + bytes.readInt32BE(start + RecordBatchField.batchLength)
    if (size < recordBatchOverheadBytes) {
      throw new MalformedError(`record batch of ${size} bytes at ${start}`)
    }
    if (size > end - start) return
    yield new RecordBatch(bytes, start)
    start += size
  }
}

/** Throws MalformedError unless the header is sound and the CRC right. The records are not walked. */
export function validateBatch(batch: RecordBatch, limits: { readonly maxBytes: number }): void {
  const size = batch.sizeInBytes
  if (!batch.isComplete()) throw new MalformedError(`record batch of ${size} bytes cut short`)
  if (size > limits.maxBytes) {
    throw new MalformedError(`record batch of ${size} bytes, ${limits.maxBytes} allowed`)
  }
  if (batch.magic !== 2) throw new MalformedError(`record batch magic ${batch.magic}, 2 expected`)
  if (!batch.isCrcValid()) throw new MalformedError('record batch CRC does not match its bytes')
  if (batch.compression > Compression.zstd) {
    throw new MalformedError(`record batch compression ${batch.compression}`)
  }
  validateHeader(batch)
}

/** Throws MalformedError for counts and numbers that no batch can have, whatever its CRC. */
export function validateHeader(batch: RecordBatch): void {
  validateCounts(batch)
  validateNumbers(batch)
}

/** Offsets may have gaps (compaction), even up to no record at all, but never repeat. */
function validateCounts(batch: RecordBatch): void {
  const { recordCount, lastOffsetDelta } = batch
  if (recordCount < 0 || lastOffsetDelta < 0 || recordCount > lastOffsetDelta + 1) {
    throw new MalformedError(`${recordCount} records in ${lastOffsetDelta + 1} offsets`)
  }
}

function validateNumbers(batch: RecordBatch): void {
  const { baseOffset, baseTimestamp, maxTimestamp, producerId, producerEpoch } = batch
  if (!Number.isSafeInteger(batch.lastOffset) || baseOffset < 0) {
    throw new MalformedError(`record batch base offset ${baseOffset}`)
  }
  if (!Number.isSafeInteger(baseTimestamp) || !Number.isSafeInteger(maxTimestamp)) {
    throw new MalformedError(`record batch timestamps ${baseTimestamp}, ${maxTimestamp}`)
  }
  if (!Number.isSafeInteger(producerId) || producerId < -1) {
    throw new MalformedError(`record batch producer id ${producerId}`)
  }
  // Brokers write offsets into transactions, and markers, without numbering them.
  const needsSequence = !batch.isControl && !batch.isTransactional
  if (producerId >= 0 && (producerEpoch < 0 || (batch.baseSequence < 0 && needsSequence))) {
    throw new MalformedError(
      `record batch of producer ${producerId} with epoch ${producerEpoch}, sequence ${batch.baseSequence}`,
    )
  }
}
