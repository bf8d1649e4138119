// The offset index and the time index of one segment, and the decision which batches get an entry.
// The entries depend only on the batches: they are the same after an append and after a rebuild.

import { OffsetIndex } from './offsetIndex.ts'
import { TimeIndex } from './timeIndex.ts'

/** Kafka's "no timestamp". */
export const noTimestamp = -1

export class SegmentIndexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
  readonly #intervalBytes: number
  #bytesSinceEntry = 0
  /** The largest timestamp of the observed batches in ms; -1 without one. */
  maxTimestampMs = noTimestamp
  /** The last offset of the first batch with that timestamp. */
  offsetOfMaxTimestamp: number

  constructor(offsets: OffsetIndex, times: TimeIndex, intervalBytes: number) {
    this.offsets = offsets
    this.times = times
    this.#intervalBytes = intervalBytes
    this.offsetOfMaxTimestamp = offsets.baseOffset
    if (times.count > 0) {
      this.maxTimestampMs = times.timestampAt(times.count - 1)
      this.offsetOfMaxTimestamp = times.offsetAt(times.count - 1)
    }
  }

  static empty(baseOffset: number, intervalBytes: number): SegmentIndexes {
    return new SegmentIndexes(
      OffsetIndex.empty(baseOffset),
      TimeIndex.empty(baseOffset),
      intervalBytes,
    )
  }

  get sizeInBytes(): number {
    return this.offsets.sizeInBytes + this.times.sizeInBytes
  }

  /**
   * Adds the next batch of the segment, which starts at `position`, to the indexes if it is due.
   */
  observe(lastOffset: number, maxTimestampMs: number, position: number, sizeBytes: number): void {
    if (maxTimestampMs > this.maxTimestampMs) {
      this.maxTimestampMs = maxTimestampMs
      this.offsetOfMaxTimestamp = lastOffset
    }
    if (this.#bytesSinceEntry > this.#intervalBytes) {
      this.offsets.append(lastOffset, position)
      this.#appendTime()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += sizeBytes
  }

  /**
   * Adds an entry for the largest timestamp so far, so that the file alone has it. Called before
   * the indexes are saved.
   */
  noteMaxTimestamp(): void {
    this.#appendTime()
  }

  /**
   * Returns to the state before the batch of the last entry for an offset below `offset`, and
   * returns the position of that batch. The batches from there on have to be observed again.
   */
  rewind(offset: number): number {
    const entry = this.offsets.lookup(offset - 1)
    if (entry < 0) {
      this.offsets.truncate(0)
      this.times.truncateFromOffset(this.offsets.baseOffset)
      this.#bytesSinceEntry = 0
      this.maxTimestampMs = noTimestamp
      return 0
    }
    const position = this.offsets.positionAt(entry)
    const lastOffset = this.offsets.offsetAt(entry)
    this.offsets.truncate(entry)
    this.times.truncateFromOffset(lastOffset)
    const { times } = this
    this.maxTimestampMs = times.count > 0 ? times.timestampAt(times.count - 1) : noTimestamp
    this.offsetOfMaxTimestamp =
      times.count > 0 ? times.offsetAt(times.count - 1) : this.offsets.baseOffset
    // The batch of an entry had more than the interval before it, and gets its entry again.
    this.#bytesSinceEntry = this.#intervalBytes + 1
    return position
  }

  /** Whether either index has no room for another entry within `maxIndexBytes`. */
  isFull(maxIndexBytes: number): boolean {
    return (
      this.offsets.sizeInBytes + 8 > maxIndexBytes || this.times.sizeInBytes + 12 > maxIndexBytes
    )
  }

  #appendTime(): void {
    if (this.maxTimestampMs > noTimestamp) {
      this.times.maybeAppend(this.maxTimestampMs, this.offsetOfMaxTimestamp)
    }
  }
}
