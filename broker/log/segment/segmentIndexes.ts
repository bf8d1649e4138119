// Both indexes of one segment, and the decision which batches get an entry. Fed with every batch of
// the segment in order, it gives the same entries whether the batches were just appended or are
// read again after a crash.

import { OffsetIndex } from './offsetIndex.ts'
import { TimeIndex } from './timeIndex.ts'

/** Kafka's "no timestamp". */
export const noTimestamp = -1

export class SegmentIndexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
  readonly #intervalBytes: number
  #bytesSinceEntry = 0
  /** The largest timestamp of the batches seen, in milliseconds; -1 when there was none. */
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

  /** Takes note of the next batch of the segment, which starts at `position`. */
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
   * Notes the largest timestamp so far, so that it is known from the file alone: before the indexes
   * are written out.
   */
  noteMaxTimestamp(): void {
    this.#appendTime()
  }

  /**
   * Goes back to the state before the batch that the last entry for an offset below `offset` points
   * at, and returns that batch's position: the batches from there are to be observed again.
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
    // The batch that was given an entry had more than the interval before it; it will again.
    this.#bytesSinceEntry = this.#intervalBytes + 1
    return position
  }

  /** Whether either index, kept in `maxIndexBytes` at most, has no room for another entry. */
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
