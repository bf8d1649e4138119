// The sparse time index of one segment (.timeindex): for a timestamp, the offset up to which all
// records are at most that old. An entry is int64 (the largest timestamp so far), int32 (last
// offset of its batch - base offset). Timestamps in the index ascend, although those of records
// need not.

import { readInt64, writeInt64 } from '../../../../protocol/bytes/reader.ts'
import { IndexEntries } from './indexEntries.ts'

export const timeIndexEntryBytes = 12

export class TimeIndex {
  readonly baseOffset: number
  readonly #entries: IndexEntries

  private constructor(baseOffset: number, entries: IndexEntries) {
    this.baseOffset = baseOffset
    this.#entries = entries
  }

  static empty(baseOffset: number): TimeIndex {
    return new TimeIndex(baseOffset, new IndexEntries(timeIndexEntryBytes))
  }

  /** Loads the index from the bytes of its file, which it takes over, while the entries ascend. */
  static load(baseOffset: number, bytes: Buffer): TimeIndex {
    let lastTimestamp = Number.NEGATIVE_INFINITY
    let lastRelative = -1
    let end = 0
    while (bytes.length - end >= timeIndexEntryBytes) {
      const timestamp = readInt64(bytes, end)
      const relative = bytes.readInt32BE(end + 8)
      if (timestamp <= lastTimestamp || relative <= lastRelative) break
      lastTimestamp = timestamp
      lastRelative = relative
      end += timeIndexEntryBytes
    }
    return new TimeIndex(baseOffset, new IndexEntries(timeIndexEntryBytes, bytes.subarray(0, end)))
  }

  get count(): number {
    return this.#entries.count
  }

  get sizeInBytes(): number {
    return this.#entries.sizeInBytes
  }

  timestampAt(entry: number): number {
    return readInt64(this.#entries.bytes, entry * timeIndexEntryBytes)
  }

  offsetAt(entry: number): number {
    return this.baseOffset + this.#entries.bytes.readInt32BE(entry * timeIndexEntryBytes + 8)
  }

  /** Adds an entry, unless the timestamp is not larger than the last one. */
  maybeAppend(timestampMs: number, offset: number): void {
    const { count } = this
    if (count > 0 && timestampMs <= this.timestampAt(count - 1)) return
    const at = this.#entries.add()
    writeInt64(this.#entries.bytes, at, timestampMs)
    this.#entries.bytes.writeInt32BE(offset - this.baseOffset, at + 8)
  }

  /** Index of the last entry with a timestamp of at most `timestampMs`; -1 without one. */
  lookup(timestampMs: number): number {
    let low = 0
    let high = this.#entries.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timestampAt(middle) <= timestampMs) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Removes the entries for offsets from `offset` on. */
  truncateFromOffset(offset: number): void {
    let { count } = this
    while (count > 0 && this.offsetAt(count - 1) >= offset) count--
    this.#entries.truncate(count)
  }

  copyFrom(entry: number): Buffer {
    return this.#entries.copyFrom(entry)
  }
}
