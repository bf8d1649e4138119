// Finds batches by their offset in the file of one segment, with as few reads of it as can be: the
// index says between which two positions a batch starts and where it ends at the latest, so one read
// has it, wherever it lies and however long the log is. It never decides what may be read, and never
// looks at more than the limit it is given.

import { corruptRead, type LogError } from '../logError.ts'
import type { Allocate, ReadLimits } from '../readResult.ts'
import { headerDefect, lastOffsetAt, walkHeaderBytes, walkTo, wholeBatches } from './batchWalk.ts'
import type { IndexSpan } from './offsetIndex.ts'
import type { SegmentIndexes } from './segmentIndexes.ts'

/** What is read from. */
export interface SegmentBytes {
  /** For messages. */
  readonly path: string
  indexes(): SegmentIndexes | Promise<SegmentIndexes>
  /** The bytes at `position`; fewer than `length` only at the end of the file. */
  readAt(position: number, length: number, allocate?: Allocate): Promise<Buffer>
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

  constructor(segment: SegmentBytes) {
    this.#segment = segment
  }

  /**
   * Whole batches from the one that holds `offset` (or follows it) on, as far as the limits and
   * `limitPosition` in the file allow. Takes a second read of the file for a batch that is larger
   * than what is asked for, and up to two more to find one among batches of more than 64 KiB. Throws
   * LogError when what it comes upon cannot have been written there.
   */
  async read(offset: number, limits: ReadLimits, limitPosition: number): Promise<Buffer> {
    const span = await this.#spanToRead(offset, limits.maxBytes, limitPosition)
    if (span.start >= limitPosition) return noBytes
    const length = readLength(span, limits.maxBytes, limitPosition)
    const bytes = await this.#readWhole(span.start, length, limits.allocate)
    const at = walkTo(bytes, offset)
    if (at + walkHeaderBytes <= bytes.length) {
      return await this.#takeBatches(bytes, at, span.start, limits, limitPosition)
    }
    // The index is sparser than it was said to be when it was written: the walk goes on from here.
    const position = await this.#walk(span.start + at, offset, limitPosition)
    if (position === undefined) return noBytes
    const rest = readLength(exactly(position), limits.maxBytes, limitPosition)
    const more = await this.#readWhole(position, rest, limits.allocate)
    return await this.#takeBatches(more, 0, position, limits, limitPosition)
  }

  /** The position of the first batch whose last offset is at least `offset`; undefined beyond. */
  async locate(offset: number, limitPosition: number): Promise<number | undefined> {
    const remembered = this.#readPositions?.get(offset)
    if (remembered !== undefined) return remembered < limitPosition ? remembered : undefined
    const { start } = (await this.#segment.indexes()).offsets.spanFor(offset)
    return await this.#walk(start, offset, limitPosition)
  }

  /** Where one read finds the batch of `offset`; starts at `limitPosition` when there is none. */
  async #spanToRead(offset: number, maxBytes: number, limitPosition: number): Promise<IndexSpan> {
    const remembered = this.#readPositions?.get(offset)
    if (remembered !== undefined && maxBytes > maxSkipBytes) return exactly(remembered)
    const span = (await this.#segment.indexes()).offsets.spanFor(offset)
    // Of a batch that may be larger than what is asked for, the index still knows the end.
    if (remembered !== undefined) return { ...span, start: remembered, latestStart: remembered }
    const latestStart = Math.min(span.latestStart, limitPosition)
    if (latestStart - span.start <= maxSkipBytes) return span
    return exactly((await this.#walk(span.start, offset, limitPosition)) ?? limitPosition)
  }

  /** The position of the first batch from `position` on that does not end below `offset`. */
  async #walk(
    position: number,
    offset: number,
    limitPosition: number,
  ): Promise<number | undefined> {
    while (position + walkHeaderBytes <= limitPosition) {
      const length = Math.min(walkBytes, limitPosition - position)
      const bytes = await this.#readWhole(position, length)
      const at = walkTo(bytes, offset)
      if (at + walkHeaderBytes <= bytes.length) {
        this.#mustBeHeader(bytes, at, position)
        return position + at
      }
      position += at
    }
    return undefined
  }

  /**
   * The whole batches within the limits from `bytes[at]` on, where `bytes` was read from `start`. A
   * first batch that is wanted whatever its size, and is not there whole, is read for itself.
   */
  async #takeBatches(
    bytes: Buffer,
    at: number,
    start: number,
    limits: ReadLimits,
    limitPosition: number,
  ): Promise<Buffer> {
    const found = wholeBatches(bytes, at, limits.maxBytes, limits.offset)
    const { end, nextOffset, wantedBytes, defect } = found
    // What is sound before it is given out first.
    if (defect !== undefined && end === at) throw this.#damage(start + end, defect)
    if (end > at) {
      this.#rememberPosition(nextOffset, start + end)
      return bytes.subarray(at, end)
    }
    const firstEnd = at + wantedBytes
    if (wantedBytes === 0 || !limits.minOneBatch || start + firstEnd > limitPosition) return noBytes
    this.#rememberPosition(lastOffsetAt(bytes, at) + 1, start + firstEnd)
    if (firstEnd <= bytes.length) return bytes.subarray(at, firstEnd)
    return await this.#readWhole(start + at, wantedBytes, limits.allocate)
  }

  /** Bytes that were all written. */
  async #readWhole(position: number, length: number, allocate?: Allocate): Promise<Buffer> {
    const bytes = await this.#segment.readAt(position, length, allocate)
    if (bytes.length === length) return bytes
    throw this.#damage(position + bytes.length, 'the file ends here')
  }

  #mustBeHeader(bytes: Buffer, at: number, position: number): void {
    const defect = headerDefect(bytes, at, -1)
    if (defect !== undefined) throw this.#damage(position + at, defect)
  }

  #damage(position: number, defect: string): LogError {
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
  return { start: position, latestStart: position, latestEnd: position }
}

/** Enough for `maxBytes` from wherever in the span, and for one whole batch unless it is large. */
function readLength(span: IndexSpan, maxBytes: number, limitPosition: number): number {
  const { start, latestStart, latestEnd } = span
  const wantedEnd = latestStart + Math.max(maxBytes, walkHeaderBytes)
  const firstEnd = Math.min(latestEnd, start + 2 * maxSkipBytes)
  return Math.min(limitPosition, Math.max(wantedEnd, firstEnd)) - start
}
