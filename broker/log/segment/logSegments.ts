// The segments of one log in the order of their offsets; appends go to the last one, the active
// segment. Finds the segment that holds an offset or a timestamp, and reads from it. Never decides
// how far may be read: the limits come from the log.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { AbortedTransaction, ReadLimits, TimestampedOffset } from '../readResult.ts'
import {
  firstAtOrAfter,
  firstWithMaxTimestamp,
  type OffsetRange,
} from './indexes/timestampSearch.ts'
import type { Segment } from './segment.ts'

const noBytes = Buffer.alloc(0)

export class LogSegments {
  readonly #disk: Disk
  readonly #directory: string
  #list: Segment[]
  #isClosed = false

  /** `list` is ascending and not empty. */
  constructor(disk: Disk, directory: string, list: Segment[]) {
    this.#disk = disk
    this.#directory = directory
    this.#list = list
  }

  get active(): Segment {
    return this.#list.at(-1)!
  }

  get startOffset(): number {
    return this.#list[0]!.baseOffset
  }

  get endOffset(): number {
    return this.active.nextOffset
  }

  get count(): number {
    return this.#list.length
  }

  get sizeBytes(): number {
    return this.#list.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  add(segment: Segment): void {
    this.#list.push(segment)
  }

  /**
   * Removes from the list, and returns, the segments without records at or above `offset`; never
   * the active one.
   */
  takeBelow(offset: number): Segment[] {
    return this.#list.splice(0, this.#find(offset))
  }

  /** The segments from the oldest on, each with its end offset. */
  spans(): { readonly segment: Segment; readonly endOffset: number }[] {
    return this.#list.map((segment, at) => {
      return { segment, endOffset: this.#list[at + 1]?.baseOffset ?? segment.nextOffset }
    })
  }

  /** All segments but the active one. */
  sealed(): Segment[] {
    return this.#list.slice(0, -1)
  }

  /** Whether `segments` are consecutive segments of the log, without the active one. */
  holds(segments: readonly Segment[]): boolean {
    if (this.#isClosed) return false
    const first = this.#list.indexOf(segments[0]!)
    const sealedCount = this.#list.length - 1
    if (first < 0 || first + segments.length > sealedCount) return false
    return segments.every((segment, number) => segment === this.#list[first + number])
  }

  /**
   * Replaces consecutive segments by one that holds the same offsets. `moveFiles` renames its files
   * to theirs; reads in progress continue.
   */
  async replace(
    old: readonly Segment[],
    replacement: Segment,
    moveFiles: () => Promise<void>,
  ): Promise<void> {
    for (const segment of old) await segment.detach()
    await moveFiles()
    this.#list.splice(this.#list.indexOf(old[0]!), old.length, replacement)
    for (const segment of old) await segment.retire()
  }

  baseOffsets(): number[] {
    return this.#list.map((segment) => segment.baseOffset)
  }

  /** The segment and all later ones. */
  from(segment: Segment): Segment[] {
    return this.#list.slice(this.#list.indexOf(segment))
  }

  /**
   * Reads whole batches of one segment, from the batch with `offset` on. Empty if there are none
   * within the limits.
   */
  async read(offset: number, limits: ReadLimits): Promise<Buffer> {
    const { active } = this
    for (const segment of this.#walk(this.#list[this.#find(offset)]!)) {
      if (segment.baseOffset >= limits.offset) break
      const limitPosition = segment === active ? limits.activeBytes : segment.sizeBytes
      const bytes = await holding(segment, async () => {
        const found = await segment.read(offset, limits, limitPosition)
        if (found.length > 0) return found
        // The first batch may exceed the limits; the next segment is read only if no batch is left
        // here.
        const isBeyond = (await segment.locate(offset, limitPosition)) !== undefined
        return isBeyond ? noBytes : undefined
      })
      if (bytes) return bytes
    }
    return noBytes
  }

  /** The aborted transactions with records from `offset` on and below `endOffset`. */
  async abortedTransactions(offset: number, endOffset: number): Promise<AbortedTransaction[]> {
    const found: AbortedTransaction[] = []
    for (const segment of this.#walk(this.#list[this.#find(offset)]!)) {
      const index = await holding(segment, async () => segment.abortedTransactions())
      if (index.collect(offset, endOffset, found)) break
    }
    return found
  }

  /** The first record of the range at or after the timestamp. */
  async offsetForTimestamp(
    timestampMs: number,
    range: OffsetRange,
  ): Promise<TimestampedOffset | undefined> {
    for (const segment of this.#walk(this.#list[0]!)) {
      if (segment.baseOffset >= range.until) return undefined
      const found = await holding(segment, async () => {
        if ((await segment.indexes()).maxTimestampMs < timestampMs) return undefined
        return await firstAtOrAfter(segment, timestampMs, range)
      })
      if (found) return found
    }
    return undefined
  }

  /** The first record of the range with the largest timestamp. */
  async offsetOfMaxTimestamp(range: OffsetRange): Promise<TimestampedOffset | undefined> {
    let newest: { readonly baseOffset: number; readonly maxTimestampMs: number } | undefined
    for (const segment of this.#walk(this.#list[0]!)) {
      const { maxTimestampMs } = await holding(segment, async () => segment.indexes())
      if (maxTimestampMs <= (newest?.maxTimestampMs ?? -1)) continue
      newest = { baseOffset: segment.baseOffset, maxTimestampMs }
    }
    if (newest === undefined) return undefined
    const segment = this.#list[this.#find(newest.baseOffset)]!
    return await holding(segment, () => firstWithMaxTimestamp(segment, range))
  }

  /** The base offset of the batch that holds `offset`: a truncation removes whole batches. */
  async batchStart(offset: number): Promise<number> {
    const first = await this.#list[this.#find(offset)]!.baseOffsetOfBatch(offset)
    return first === undefined ? offset : Math.min(first, offset)
  }

  /**
   * Closes all files and removes everything from `end` on, which is the start of a batch. Whole
   * segments are removed first, from the last one on and each durably: a crash in between leaves a
   * log that is longer, but has no gap, which recovery would take for damage. `beforeCut` is called
   * first, with the segment and the position of the cut.
   */
  async cut(
    end: number,
    beforeCut: (baseOffset: number, position: number) => Promise<void>,
  ): Promise<void> {
    const { startOffset } = this
    const last = this.#list[this.#find(end)]!
    const position = await last.locate(end, last.sizeBytes)
    await beforeCut(last.baseOffset, position ?? last.sizeBytes)
    await this.close()
    for (const segment of this.#list.toReversed()) {
      if (segment.baseOffset < end || segment.baseOffset === startOffset) break
      await segment.remove()
      await this.#disk.syncDirectory(this.#directory)
    }
    const isCut = last.baseOffset < end || last.baseOffset === startOffset
    if (isCut && position !== undefined) await last.cutTo(position)
  }

  /**
   * Closes and removes all segments. Segments that end at or below `startOffset` are removed first,
   * from the first one on, then the others from the last one on, each durably: a crash in between
   * leaves either no segment, or segments without a gap that hold `startOffset`.
   */
  async removeAll(startOffset: number): Promise<void> {
    await this.close()
    const first = this.#find(startOffset)
    const inOrder = [...this.#list.slice(0, first), ...this.#list.slice(first).toReversed()]
    for (const segment of inOrder) {
      await segment.remove()
      await this.#disk.syncDirectory(this.#directory)
    }
  }

  /** Writes all staged bytes of the segments to their files. */
  async writeStaged(): Promise<void> {
    for (const segment of this.#list) await segment.writeStaged()
  }

  /** The log is being deleted: staged bytes are dropped. */
  discard(): void {
    for (const segment of this.#list) segment.discard()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const segment of this.#list) await segment.close()
  }

  /** Yields the segment and those after it; each is looked up when it is requested. */
  *#walk(first: Segment): Generator<Segment, void> {
    for (let segment: Segment | undefined = first; segment; segment = this.#after(segment)) {
      yield segment
    }
  }

  /** The segment that starts where this one ends; a cleaned segment may have replaced it. */
  #after(segment: Segment): Segment | undefined {
    const next = this.#list[this.#find(segment.nextOffset)]!
    return next === segment ? undefined : next
  }

  /** Index of the last segment that starts at or below `offset`; the first segment if none does. */
  #find(offset: number): number {
    let low = 1
    let high = this.#list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#list[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Runs a task on the segment and keeps its files open until the task ends. */
async function holding<Result>(segment: Segment, task: () => Promise<Result>): Promise<Result> {
  segment.hold()
  try {
    return await task()
  } finally {
    segment.release()
  }
}
