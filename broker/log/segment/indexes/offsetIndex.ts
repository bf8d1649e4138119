// The sparse offset index of one segment (.index): the position in the file from which to search
// for an offset. An entry is int32 (last offset of a batch - base offset), int32 (position where
// the batch starts). Does no I/O. An entry must never point at bytes that have not been written.

import { assert } from '../../../../protocol/runtime/assert.ts'
import { IndexEntries } from './indexEntries.ts'

export const offsetIndexEntryBytes = 8

/**
 * What the index knows about the position of a batch. Positions are those in the segment's file.
 */
export interface IndexSpan {
  /** A batch starts here, at or before the requested one. */
  readonly start: number
  /** Its last offset according to the entry; undefined without an entry. */
  readonly startsWith: number | undefined
  /**
   * The requested batch starts at or before it: the next entry points here. Infinity after the
   * last.
   */
  readonly latestStart: number
  /**
   * The requested batch ends at or before it: the entry after the next one points here. Infinity
   * after the last.
   */
  readonly latestEnd: number
}

export class OffsetIndex {
  readonly baseOffset: number
  readonly #entries: IndexEntries

  private constructor(baseOffset: number, entries: IndexEntries) {
    this.baseOffset = baseOffset
    this.#entries = entries
  }

  static empty(baseOffset: number): OffsetIndex {
    return new OffsetIndex(baseOffset, new IndexEntries(offsetIndexEntryBytes))
  }

  /**
   * Loads the index from the bytes of its file, which it takes over, up to the first invalid entry:
   * entries must ascend and point into a segment of `segmentBytes` bytes. All entries are valid if
   * the index has the size of the file.
   */
  static load(baseOffset: number, bytes: Buffer, segmentBytes: number): OffsetIndex {
    let lastRelative = -1
    let lastPosition = -1
    let end = 0
    while (bytes.length - end >= offsetIndexEntryBytes) {
      const relative = bytes.readInt32BE(end)
      const position = bytes.readInt32BE(end + 4)
      if (relative <= lastRelative || position <= lastPosition || position >= segmentBytes) break
      lastRelative = relative
      lastPosition = position
      end += offsetIndexEntryBytes
    }
    const entries = new IndexEntries(offsetIndexEntryBytes, bytes.subarray(0, end))
    return new OffsetIndex(baseOffset, entries)
  }

  get count(): number {
    return this.#entries.count
  }

  get sizeInBytes(): number {
    return this.#entries.sizeInBytes
  }

  offsetAt(entry: number): number {
    return this.baseOffset + this.#entries.bytes.readInt32BE(entry * offsetIndexEntryBytes)
  }

  positionAt(entry: number): number {
    return this.#entries.bytes.readInt32BE(entry * offsetIndexEntryBytes + 4)
  }

  append(lastOffset: number, position: number): void {
    const { count } = this
    assert(
      count === 0 ||
        (lastOffset > this.offsetAt(count - 1) && position > this.positionAt(count - 1)),
      `offset index entry (${lastOffset}, ${position}) is out of order`,
    )
    const at = this.#entries.add()
    this.#entries.bytes.writeInt32BE(lastOffset - this.baseOffset, at)
    this.#entries.bytes.writeInt32BE(position, at + 4)
  }

  /** Index of the last entry with an offset of at most `offset`; -1 without one. */
  lookup(offset: number): number {
    const { bytes } = this.#entries
    const relative = offset - this.baseOffset
    let low = 0
    let high = this.#entries.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bytes.readInt32BE(middle * offsetIndexEntryBytes) <= relative) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** The range of the file in which the batch that holds `offset` starts. */
  spanFor(offset: number): IndexSpan {
    const entry = this.lookup(offset)
    return {
      start: entry < 0 ? 0 : this.positionAt(entry),
      startsWith: entry < 0 ? undefined : this.offsetAt(entry),
      latestStart: this.#positionAtOrEnd(entry + 1),
      latestEnd: this.#positionAtOrEnd(entry + 2),
    }
  }

  /** The first known start of a batch after `position`. Infinity after the last entry. */
  startAfter(position: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) <= position) low = middle + 1
      else high = middle
    }
    return this.#positionAtOrEnd(low)
  }

  /** Keeps only the first `count` entries. */
  truncate(count: number): void {
    this.#entries.truncate(count)
  }

  copyFrom(entry: number): Buffer {
    return this.#entries.copyFrom(entry)
  }

  #positionAtOrEnd(entry: number): number {
    return entry < this.count ? this.positionAt(entry) : Number.POSITIVE_INFINITY
  }
}
