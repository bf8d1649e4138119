// A record batch (magic 2): a view of its 61-byte header, read and changed in place. The broker
// stores the bytes as received; nothing here reads or copies the records. RecordCursor reads
// records, RecordBatchBuilder builds batches.
//
// A view may be of unchecked bytes: the getters return whatever is there; `validateBatch` decides
// whether the batch is valid.

import { Compression } from '../../bytes/compression.ts'
import { crc32c } from '../../bytes/crc32c.ts'
import { MalformedError } from '../../bytes/malformed.ts'
import { readInt64, writeInt64 } from '../../bytes/reader.ts'

/** Start of each header field, relative to the start of the batch. */
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

/** Size of the header: everything before the first record. */
export const recordBatchOverheadBytes = 61
/** Base offset and length field, which the length field does not include. */
export const batchLengthPrefixBytes = 12
/** The CRC covers everything from this offset to the end of the batch. */
const crcStart = RecordBatchField.attributes

export type TimestampType = 'create' | 'logAppend'

export class RecordBatch {
  readonly bytes: Buffer
  /** Index of the batch's first byte in `bytes`. */
  readonly start: number

  /** Throws MalformedError unless the header is complete; the records need not be. */
  constructor(bytes: Buffer, start = 0) {
    if (bytes.length - start < recordBatchOverheadBytes) {
      throw new MalformedError(`truncated record batch header: ${bytes.length - start} bytes`)
    }
    this.bytes = bytes
    this.start = start
  }

  get baseOffset(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.baseOffset)
  }

  /** Changed in place; not covered by the CRC. */
  set baseOffset(offset: number) {
    writeInt64(this.bytes, this.start + RecordBatchField.baseOffset, offset)
  }

  /** Size of the whole batch, including the header. */
  get sizeInBytes(): number {
    return batchLengthPrefixBytes + this.#int32(RecordBatchField.batchLength)
  }

  get partitionLeaderEpoch(): number {
    return this.#int32(RecordBatchField.partitionLeaderEpoch)
  }

  /** Changed in place; not covered by the CRC. */
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

  /** The offset after the batch's last offset. */
  get nextOffset(): number {
    return this.lastOffset + 1
  }

  get baseTimestamp(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.baseTimestamp)
  }

  get maxTimestamp(): number {
    return readInt64(this.bytes, this.start + RecordBatchField.maxTimestamp)
  }

  /**
   * Time from which compaction may drop the batch's tombstones or its marker; undefined before its
   * first compaction.
   */
  get deleteHorizonMs(): number | undefined {
    const isSet = (this.attributes & RecordBatchAttribute.deleteHorizon) !== 0
    return isSet ? this.baseTimestamp : undefined
  }

  /** -1 if the producer is not idempotent. */
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

  /** Number of records: less than the number of offsets after compaction. */
  get recordCount(): number {
    return this.#int32(RecordBatchField.recordCount)
  }

  /** Sets the timestamp type and the maximum timestamp, and updates the CRC. */
  setMaxTimestamp(type: TimestampType, timestampMs: number): void {
    const { logAppendTime } = RecordBatchAttribute
    const others = this.attributes & ~logAppendTime
    const attributes = type === 'logAppend' ? others | logAppendTime : others
    this.bytes.writeInt16BE(attributes, this.start + RecordBatchField.attributes)
    writeInt64(this.bytes, this.start + RecordBatchField.maxTimestamp, timestampMs)
    this.#updateCrc()
  }

  /** Sets the producer of the batch, and updates the CRC. */
  setProducer(producerId: number, producerEpoch: number, baseSequence: number): void {
    writeInt64(this.bytes, this.start + RecordBatchField.producerId, producerId)
    this.bytes.writeInt16BE(producerEpoch, this.start + RecordBatchField.producerEpoch)
    this.bytes.writeInt32BE(baseSequence, this.start + RecordBatchField.baseSequence)
    this.#updateCrc()
  }

  /** Whether all bytes of the batch are present. */
  isComplete(): boolean {
    const size = this.sizeInBytes
    return size >= recordBatchOverheadBytes && size <= this.bytes.length - this.start
  }

  /** False as well for an incomplete batch. */
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

/** Returns the sequence `count` places after `sequence`, wrapping from 2^31 - 1 to 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}

/**
 * Yields the complete batches in `bytes[start, end)`. Stops at a partial batch at the end, which
 * fetch responses may have; throws MalformedError for an impossible length.
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

/**
 * Throws MalformedError unless the header is valid and the CRC matches. Does not read the records.
 */
export function validateBatch(batch: RecordBatch, limits: { readonly maxBytes: number }): void {
  const size = batch.sizeInBytes
  if (!batch.isComplete()) throw new MalformedError(`truncated record batch of ${size} bytes`)
  if (size > limits.maxBytes) {
    throw new MalformedError(`record batch of ${size} bytes exceeds ${limits.maxBytes}`)
  }
  if (batch.magic !== 2) throw new MalformedError(`record batch magic ${batch.magic}, 2 expected`)
  if (!batch.isCrcValid()) throw new MalformedError('record batch CRC does not match its bytes')
  if (batch.compression > Compression.zstd) {
    throw new MalformedError(`record batch compression ${batch.compression}`)
  }
  validateHeader(batch)
}

/** Throws MalformedError for counts and numbers that no batch can have, even with a valid CRC. */
export function validateHeader(batch: RecordBatch): void {
  validateCounts(batch)
  validateNumbers(batch)
}

/** Offsets may have gaps after compaction, even without any record, but never repeat. */
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
  // Brokers write transactional offsets and markers without sequences.
  const needsSequence = !batch.isControl && !batch.isTransactional
  if (producerId >= 0 && (producerEpoch < 0 || (batch.baseSequence < 0 && needsSequence))) {
    throw new MalformedError(
      `record batch of producer ${producerId} with epoch ${producerEpoch}, sequence ${batch.baseSequence}`,
    )
  }
}
