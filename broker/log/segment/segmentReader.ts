// Reads batches of one segment by offset, with as few disk reads as possible: the index bounds
// where a batch starts and ends, so that one read usually has it, however long the log is. Never
// decides how far may be read, and never reads beyond the given limit. Batches are checked before
// they are returned.

import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { corruptRead, type LogError } from '../logError.ts'
import type { Allocate, ReadLimits } from '../readResult.ts'
import { BatchOrder, type Misplaced } from './batchOrder.ts'
import {
  baseOffsetAt,
  batchSizeAt,
  headerDefect,
  lastOffsetAt,
  walkHeaderBytes,
} from './batchWalk.ts'
import { CheckedRange } from './checkedRange.ts'
import type { IndexSpan } from './indexes/offsetIndex.ts'
import type { SegmentIndexes } from './indexes/segmentIndexes.ts'
import { type ReadBytes, soundBatches, unsoundness } from './soundBatches.ts'

/** The bytes that are read. */
export interface SegmentBytes {
  /** For error messages. */
  readonly path: string
  readonly baseOffset: number
  /** The offset after the segment's last record. */
  readonly nextOffset: number
  indexes(): SegmentIndexes | Promise<SegmentIndexes>
  /** The bytes at `position`; fewer than `length` only at the end of the file. */
  readAt(position: number, length: number, allocate?: Allocate): Promise<Buffer>
}

/** The start of a batch, with the order of the batches before it. */
interface Place {
  readonly position: number
  readonly order: BatchOrder
}

/** A position to search from, and the range in which the index expects the batch. */
interface Start {
  readonly span: IndexSpan
  readonly order: BatchOrder
}

/** Bytes per read while searching from an index entry: more than an index interval. */
const walkBytes = 8 * 1024
/**
 * Unneeded bytes accepted to read an index entry's batch and the requested one together. With
 * larger batches it is cheaper to search for the batch first.
 */
const maxSkipBytes = 64 * 1024
/** Number of remembered positions at which readers are likely to continue. */
const maxReadPositions = 64
const noBytes = Buffer.alloc(0)

export class SegmentReader {
  readonly #segment: SegmentBytes
  /** Positions at which sequential readers continue: exact, unlike those of the sparse index. */
  #readPositions: Map<number, number> | undefined
  #checked: CheckedRange | undefined

  constructor(segment: SegmentBytes) {
    this.#segment = segment
  }

  /**
   * Reads whole batches from the one that holds `offset` (or follows it) on, within the limits and
   * below `limitPosition` in the file. Needs a second read for a batch larger than the limits, and
   * up to two more to find a batch among batches of more than 64 KiB. Returns only sound batches;
   * throws LogError if the first one is damaged.
   */
  async read(offset: number, limits: ReadLimits, limitPosition: number): Promise<Buffer> {
    const start = await this.#startOfRead(offset, limits.maxBytes, limitPosition)
    if (start === undefined) return noBytes
    const { span, order } = start
    if (span.start >= limitPosition) return noBytes
    const length = readLength(span, limits.maxBytes, limitPosition)
    const bytes = await this.#readWhole(span.start, length, limits.allocate)
    const at = await this.#pass(bytes, span.start, offset, order)
    if (at + walkHeaderBytes <= bytes.length) {
      const read = this.#readBytes(bytes, span.start, limitPosition)
      return await this.#takeBatches(read, at, order, offset, limits)
    }
    // The index is sparser than its interval says: continue the search from here.
    const place = await this.#walk({ position: span.start + at, order }, offset, limitPosition)
    if (place === undefined) return noBytes
    const rest = readLength(exactly(place.position), limits.maxBytes, limitPosition)
    const more = await this.#readWhole(place.position, rest, limits.allocate)
    const read = this.#readBytes(more, place.position, limitPosition)
    return await this.#takeBatches(read, 0, place.order, offset, limits)
  }

  /** The checksums of this range of the file were verified at `nowMs`. */
  noteChecked(start: number, end: number, nowMs: number | undefined): void {
    if (nowMs === undefined) return
    this.#checked ??= new CheckedRange()
    this.#checked.add(start, end, nowMs)
  }

  /** The position of the first batch whose last offset is at least `offset`; undefined beyond. */
  async locate(offset: number, limitPosition: number): Promise<number | undefined> {
    const remembered = this.#readPositions?.get(offset)
    if (remembered !== undefined) return remembered < limitPosition ? remembered : undefined
    const span = (await this.#segment.indexes()).offsets.spanFor(offset)
    const place = { position: span.start, order: this.#orderAt(span) }
    return (await this.#walk(place, offset, limitPosition))?.position
  }

  /** Where one read finds the batch of `offset`; undefined without one. */
  async #startOfRead(
    offset: number,
    maxBytes: number,
    limitPosition: number,
  ): Promise<Start | undefined> {
    const remembered = this.#readPositions?.get(offset)
    if (remembered !== undefined && maxBytes > maxSkipBytes) {
      return { span: exactly(remembered), order: BatchOrder.from(offset) }
    }
    const span = (await this.#segment.indexes()).offsets.spanFor(offset)
    if (remembered !== undefined) {
      // The batch may be larger than the limits; the index still bounds its end.
      const from = { ...span, start: remembered, latestStart: remembered }
      return { span: from, order: BatchOrder.from(offset) }
    }
    const order = this.#orderAt(span)
    const latestStart = Math.min(span.latestStart, limitPosition)
    if (latestStart - span.start <= maxSkipBytes) return { span, order }
    const place = await this.#walk({ position: span.start, order }, offset, limitPosition)
    return place && { span: exactly(place.position), order: place.order }
  }

  #orderAt({ startsWith }: IndexSpan): BatchOrder {
    const { baseOffset } = this.#segment
    return startsWith === undefined ? BatchOrder.from(baseOffset) : BatchOrder.indexed(startsWith)
  }

  /** The first batch from `place` on whose last offset is at least `offset`. */
  async #walk(
    { position, order }: Place,
    offset: number,
    limitPosition: number,
  ): Promise<Place | undefined> {
    if (position > limitPosition) return undefined
    while (position + walkHeaderBytes <= limitPosition) {
      const length = Math.min(walkBytes, limitPosition - position)
      const bytes = await this.#readWhole(position, length)
      const at = await this.#pass(bytes, position, offset, order)
      if (at + walkHeaderBytes <= bytes.length) return { position: position + at, order }
      position += at
    }
    if (position !== limitPosition) {
      const defect = 'the last batch does not end at the end of the file'
      throw this.#damage({ position: order.lastPosition ?? position, defect })
    }
    if (offset >= this.#segment.nextOffset) return undefined
    const misplaced = order.misplacedAtEnd()
    if (misplaced) throw this.#damage(misplaced)
    await this.#mustBeSound(order.lastPosition)
    return undefined
  }

  /**
   * Passes the batches in `bytes` that end below `offset`, and returns the position of the first
   * other batch: past the end of `bytes` if that batch is beyond them, and less than
   * `walkHeaderBytes` before the end if its header is incomplete.
   */
  async #pass(bytes: Buffer, position: number, offset: number, order: BatchOrder): Promise<number> {
    let at = 0
    while (at + walkHeaderBytes <= bytes.length) {
      const defect = headerDefect(bytes, at)
      if (defect !== undefined) throw await this.#cause({ position: position + at, defect }, order)
      const lastOffset = lastOffsetAt(bytes, at)
      if (lastOffset >= offset) break
      const baseOffset = baseOffsetAt(bytes, at)
      const misplaced = order.misplaced(baseOffset, lastOffset, position + at)
      if (misplaced) throw await this.#cause(misplaced, order)
      order.pass(baseOffset, lastOffset, position + at)
      at += batchSizeAt(bytes, at)!
    }
    return at
  }

  /**
   * The sound batches within the limits from `read.bytes[at]` on. A first batch that is required
   * whatever its size, and is incomplete in `read`, is read separately.
   */
  async #takeBatches(
    read: ReadBytes,
    at: number,
    order: BatchOrder,
    offset: number,
    limits: ReadLimits,
  ): Promise<Buffer> {
    await this.#mustHold(offset, baseOffsetAt(read.bytes, at), order)
    const { nowMs } = limits
    const isChecked = (start: number, end: number) => this.#isChecked(start, end, nowMs)
    const { end, damage } = soundBatches(read, at, order, { ...limits, isChecked })
    // Sound batches before the damage are returned first.
    if (end === at && damage) throw await this.#cause(damage, order)
    if (end === at) return await this.#takeFirst(read, at, order, limits)
    this.noteChecked(read.position + at, read.position + end, nowMs)
    this.#rememberPosition(order.nextOffset, read.position + end)
    return read.bytes.subarray(at, end)
  }

  /** The batch at `read.bytes[at]`, whatever its size, if it lies below the offset limit. */
  async #takeFirst(
    { bytes, position: start, limitPosition }: ReadBytes,
    at: number,
    order: BatchOrder,
    limits: ReadLimits,
  ): Promise<Buffer> {
    const position = start + at
    const size = batchSizeAt(bytes, at)!
    const lastOffset = lastOffsetAt(bytes, at)
    const isBeyond = lastOffset >= limits.offset
    if (size > limits.maxBytes && !limits.minOneBatch && !isBeyond) return noBytes
    // Also bounds the read if the length field is damaged.
    const { offsets } = await this.#segment.indexes()
    if (size > Math.min(limitPosition, offsets.startAfter(position)) - position) {
      throw this.#damage({
        position,
        defect: `a batch of ${size} bytes does not fit before the next batch`,
      })
    }
    const isDoubtful = order.isDoubtful(baseOffsetAt(bytes, at), lastOffset)
    const wanted = isDoubtful ? size + walkHeaderBytes : size
    const length = Math.min(wanted, limitPosition - position)
    const isThere = at + length <= bytes.length
    const whole = isThere
      ? bytes.subarray(at, at + length)
      : await this.#readWhole(position, length, limits.allocate)
    const read = this.#readBytes(whole, position, limitPosition)
    const { epochs, nowMs } = limits
    const isChecked = () => this.#isChecked(position, position + size, nowMs)
    const only = { maxBytes: size, offset: Number.POSITIVE_INFINITY, epochs, isChecked }
    const { end, damage } = soundBatches(read, 0, order, only)
    if (end < size) {
      throw await this.#cause(damage ?? { position, defect: 'no batch follows it' }, order)
    }
    this.noteChecked(position, position + size, nowMs)
    if (isBeyond) return noBytes
    this.#rememberPosition(order.nextOffset, position + size)
    return whole.subarray(0, size)
  }

  /**
   * After compaction an offset may be in no batch. Otherwise the previous batch held it and is
   * damaged, which must not be hidden from the reader.
   */
  async #mustHold(offset: number, foundOffset: number, order: BatchOrder): Promise<void> {
    if (foundOffset > offset) await this.#mustBeSound(order.lastPosition)
  }

  async #mustBeSound(position: number | undefined): Promise<void> {
    const defect = position !== undefined && (await this.#defectOf(position))
    if (defect) throw this.#damage({ position, defect })
  }

  /** The cause may be a damaged length of the previous batch, whose content was not checked. */
  async #cause(found: Misplaced, { lastPosition }: BatchOrder): Promise<LogError> {
    const defect = lastPosition !== undefined && (await this.#defectOf(lastPosition))
    return this.#damage(defect ? { position: lastPosition, defect } : found)
  }

  /** Checks a batch that was passed by its header only. */
  async #defectOf(position: number): Promise<string | undefined> {
    const header = await this.#readWhole(position, walkHeaderBytes)
    const batch = new RecordBatch(await this.#readWhole(position, batchSizeAt(header, 0)!))
    return unsoundness(batch, undefined)
  }

  /** Reads bytes that must all exist. */
  async #readWhole(position: number, length: number, allocate?: Allocate): Promise<Buffer> {
    const bytes = await this.#segment.readAt(position, length, allocate)
    if (bytes.length === length) return bytes
    throw this.#damage({
      position: position + bytes.length,
      defect: 'the file ends within a batch',
    })
  }

  #isChecked(start: number, end: number, nowMs: number | undefined): boolean {
    return nowMs !== undefined && this.#checked?.covers(start, end, nowMs) === true
  }

  #readBytes(bytes: Buffer, position: number, limitPosition: number): ReadBytes {
    return { bytes, position, limitPosition, limitOffset: this.#segment.nextOffset }
  }

  #damage({ position, defect }: Misplaced): LogError {
    return corruptRead(this.#segment.path, position, defect)
  }

  #rememberPosition(offset: number, position: number): void {
    // Created lazily: with thousands of partitions, most segments are never read.
    this.#readPositions ??= new Map()
    const positions = this.#readPositions
    positions.delete(offset)
    positions.set(offset, position)
    if (positions.size > maxReadPositions) positions.delete(positions.keys().next().value!)
  }
}

/** A batch starts exactly here; its size is unknown. */
function exactly(position: number): IndexSpan {
  return { start: position, startsWith: undefined, latestStart: position, latestEnd: position }
}

/**
 * Enough for `maxBytes` from any position in the span, and for one whole batch unless it is large.
 */
function readLength(span: IndexSpan, maxBytes: number, limitPosition: number): number {
  const { start, latestStart, latestEnd } = span
  const wantedEnd = latestStart + Math.max(maxBytes, walkHeaderBytes)
  const firstEnd = Math.min(latestEnd, start + 2 * maxSkipBytes)
  return Math.min(limitPosition, Math.max(wantedEnd, firstEnd)) - start
}
