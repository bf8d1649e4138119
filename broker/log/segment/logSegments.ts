// The segments of one log in the order of their offsets, of which the last one is appended to:
// finds the one that holds an offset or a time, and reads from it. It never decides what may be
// read; the limits come from the log.

import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { AbortedTransaction, ReadLimits, TimestampedOffset } from '../readResult.ts'
import type { Segment } from './segment.ts'
import { firstAtOrAfter, firstWithMaxTimestamp, type OffsetRange } from './timestampSearch.ts'

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
   * Takes out, and returns, the segments that hold nothing at or above `offset`; never the active.
   */
  takeBelow(offset: number): Segment[] {
    return this.#list.splice(0, this.#find(offset))
  }

  /** From the oldest on, with the offset at which each ends. */
  spans(): { readonly segment: Segment; readonly endOffset: number }[] {
    return this.#list.map((segment, at) => {
      return { segment, endOffset: this.#list[at + 1]?.baseOffset ?? segment.nextOffset }
    })
  }

  /** All but the one that is appended to. */
  sealed(): Segment[] {
    return this.#list.slice(0, -1)
  }

  /** Whether these are segments of the log, one after another, and none of them is appended to. */
  holds(segments: readonly Segment[]): boolean {
    if (this.#isClosed) return false
    const first = this.#list.indexOf(segments[0]!)
    const sealedCount = this.#list.length - 1
    if (first < 0 || first + segments.length > sealedCount) return false
    return segments.every((segment, number) => segment === this.#list[first + number])
  }

  /**
   * Puts one segment in the place of neighbours that hold the same offsets. `moveFiles` gives their
   * names to its files; who reads from them meanwhile reads on.
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

  /** The segment and all after it. */
  from(segment: Segment): Segment[] {
    return this.#list.slice(this.#list.indexOf(segment))
  }

  /** Whole batches from the one with `offset` on, of one segment. Empty where there is none. */
  async read(offset: number, limits: ReadLimits): Promise<Buffer> {
    const { active } = this
    for (const segment of this.#walk(this.#list[this.#find(offset)]!)) {
      if (segment.baseOffset >= limits.offset) break
      const limitPosition = segment === active ? limits.activeBytes : segment.sizeBytes
      const bytes = await holding(segment, async () => {
        const found = await segment.read(offset, limits, limitPosition)
        if (found.length > 0) return found
        // What comes first may lie beyond the limits; only when there is nothing is it further on.
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

  /** The first record of the range with the largest timestamp of all. */
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

  /** The base offset of the batch that holds `offset`: half a batch cannot be cut off. */
  async batchStart(offset: number): Promise<number> {
    const first = await this.#list[this.#find(offset)]!.baseOffsetOfBatch(offset)
    return first === undefined ? offset : Math.min(first, offset)
  }

  /**
   * Closes all files and cuts off everything from `end` on, which is the start of a batch. Whole
   * segments go first, from the last one on and each durably: after a crash on the way the log is
   * only longer, and never has a gap, which would be taken for damage. `beforeCut` is told first
   * from which segment and position on.
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
   * Closes and removes all segments. Those that end at or below `startOffset` go first, from the
   * first one on, the others from the last one on, each durably: after a crash the segments left
   * hold `startOffset` and have no gap, or there is none.
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

  /** Writes what of any of them is only in memory. */
  async writeStaged(): Promise<void> {
    for (const segment of this.#list) await segment.writeStaged()
  }

  /** The log is being deleted. */
  discard(): void {
    for (const segment of this.#list) segment.discard()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const segment of this.#list) await segment.close()
  }

  /** The segment and those after it, as they are when each is asked for. */
  *#walk(first: Segment): Generator<Segment, void> {
    for (let segment: Segment | undefined = first; segment; segment = this.#after(segment)) {
      yield segment
    }
  }

  /** The one that goes on where this one ends, which may have been replaced meanwhile. */
  #after(segment: Segment): Segment | undefined {
    const next = this.#list[this.#find(segment.nextOffset)]!
    return next === segment ? undefined : next
  }

  /** The number of the last segment that begins at or below `offset`; the first when none does. */
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

/** Runs a task on the segment, whose files stay open until it has ended. */
async function holding<Result>(segment: Segment, task: () => Promise<Result>): Promise<Result> {
  segment.hold()
  try {
    return await task()
  } finally {
    segment.release()
  }
}
