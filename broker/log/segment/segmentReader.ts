// Finds batches by their offset in the file of one segment, with as few reads of it as can be: the
// index says between which two positions a batch starts and where it ends at the latest, so one
// read has it, wherever it lies and however long the log is. It never decides what may be read, and
// never looks at more than the limit it is given.

import { RecordBatch } from '../../../protocol/kafka/recordBatch.ts'
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
import type { IndexSpan } from './offsetIndex.ts'
import type { SegmentIndexes } from './segmentIndexes.ts'
import { type ReadBytes, soundBatches, unsoundness } from './soundBatches.ts'

/** What is read from. */
export interface SegmentBytes {
  /** For messages. */
  readonly path: string
  readonly baseOffset: number
  /** The offset after the segment's last record. */
  readonly nextOffset: number
  indexes(): SegmentIndexes | Promise<SegmentIndexes>
  /** The bytes at `position`; fewer than `length` only at the end of the file. */
  readAt(position: number, length: number, allocate?: Allocate): Promise<Buffer>
}

/** Where a batch begins, and what is known of those before it. */
interface Place {
  readonly position: number
  readonly order: BatchOrder
}

/** A place from which a batch is looked for, and what the index knows of where that batch is. */
interface Start {
  readonly span: IndexSpan
  readonly order: BatchOrder
}

/** Bytes read at once to walk from an index entry to a batch: more than an index interval. */
const walkBytes = 8 * 1024
/**
 * So much is read in vain to have an index entry and the batch after it in one read. With batches
 * larger than this it costs less to look for the batch first.
 */
const maxSkipBytes = 64 * 1024
/** How many places where a reader is likely to go on are remembered. */
const maxReadPositions = 64
const noBytes = Buffer.alloc(0)

export class SegmentReader {
  readonly #segment: SegmentBytes
  /** Where sequential readers go on: an exact position, which the sparse index does not know. */
  #readPositions: Map<number, number> | undefined
  #checked: CheckedRange | undefined

  constructor(segment: SegmentBytes) {
    this.#segment = segment
  }

  /**
   * Whole batches from the one that holds `offset` (or follows it) on, as far as the limits and
   * `limitPosition` in the file allow. Takes a second read of the file for a batch that is larger
   * than what is asked for, and up to two more to find one among batches of more than 64 KiB. Gives
   * out only what is sound, and throws LogError when the first of it is not what was written there.
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
    // The index is sparser than it was said to be when it was written: the walk goes on from here.
    const place = await this.#walk({ position: span.start + at, order }, offset, limitPosition)
    if (place === undefined) return noBytes
    const rest = readLength(exactly(place.position), limits.maxBytes, limitPosition)
    const more = await this.#readWhole(place.position, rest, limits.allocate)
    const read = this.#readBytes(more, place.position, limitPosition)
    return await this.#takeBatches(read, 0, place.order, offset, limits)
  }

  /** What lies there in the file has been compared with its checksums at this time. */
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

  /** Where one read finds the batch of `offset`; undefined when there is none. */
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
      // Of a batch that may be larger than what is asked for, the index still knows the end.
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

  /** The first batch from `place` on that does not end below `offset`. */
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
   * Walks over the batches in `bytes` that end below `offset`, and returns where the first other
   * one starts: past the end of `bytes` when that one is beyond them, and less than
   * `walkHeaderBytes` before the end when too little of it is there to tell.
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
   * The sound batches within the limits from `read.bytes[at]` on. A first batch that is wanted
   * whatever its size, and is not there whole, is read for itself.
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
    // What is sound before it is given out first.
    if (end === at && damage) throw await this.#cause(damage, order)
    if (end === at) return await this.#takeFirst(read, at, order, limits)
    this.noteChecked(read.position + at, read.position + end, nowMs)
    this.#rememberPosition(order.nextOffset, read.position + end)
    return read.bytes.subarray(at, end)
  }

  /** The batch at `read.bytes[at]`, whatever its size, when it lies below the limit of offsets. */
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
    // Also so that no length that is damaged makes a read of all that is left of the file.
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
   * After compaction an offset may be in no batch. Or the batch before the one that was found held
   * it, and has been damaged: then a reader would never hear of what is missing.
   */
  async #mustHold(offset: number, foundOffset: number, order: BatchOrder): Promise<void> {
    if (foundOffset > offset) await this.#mustBeSound(order.lastPosition)
  }

  async #mustBeSound(position: number | undefined): Promise<void> {
    const defect = position !== undefined && (await this.#defectOf(position))
    if (defect) throw this.#damage({ position, defect })
  }

  /**
   * What is wrong may be the length of the batch before, which was walked over and not looked into.
   */
  async #cause(found: Misplaced, { lastPosition }: BatchOrder): Promise<LogError> {
    const defect = lastPosition !== undefined && (await this.#defectOf(lastPosition))
    return this.#damage(defect ? { position: lastPosition, defect } : found)
  }

  /** Of a batch that was walked over. */
  async #defectOf(position: number): Promise<string | undefined> {
    const header = await this.#readWhole(position, walkHeaderBytes)
    const batch = new RecordBatch(await this.#readWhole(position, batchSizeAt(header, 0)!))
    return unsoundness(batch, undefined)
  }

  /** Bytes that were all written. */
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
    // Made by the first read: most segments of thousands of partitions are never read.
    this.#readPositions ??= new Map()
    const positions = this.#readPositions
    positions.delete(offset)
    positions.set(offset, position)
    if (positions.size > maxReadPositions) positions.delete(positions.keys().next().value!)
  }
}

/** A batch that is known to start here; nothing is known of its size. */
function exactly(position: number): IndexSpan {
  return { start: position, startsWith: undefined, latestStart: position, latestEnd: position }
}

/** Enough for `maxBytes` from wherever in the span, and for one whole batch unless it is large. */
function readLength(span: IndexSpan, maxBytes: number, limitPosition: number): number {
  const { start, latestStart, latestEnd } = span
  const wantedEnd = latestStart + Math.max(maxBytes, walkHeaderBytes)
  const firstEnd = Math.min(latestEnd, start + 2 * maxSkipBytes)
  return Math.min(limitPosition, Math.max(wantedEnd, firstEnd)) - start
}
