// Whether the offsets of batches in a segment can be true. No checksum covers the first offset of a
// batch, because the broker sets it after the producer has made the checksum: what tells is what
// lies around it. A batch that begins where the one before it ends is in its place. After a gap, as
// compaction leaves them, it is believed only when it does not reach into the one after it.
//
// Fed with one batch after another, by their positions in the file. It reads nothing itself.

/** A batch that cannot be where it is. */
export interface Misplaced {
  readonly position: number
  readonly defect: string
}

export class BatchOrder {
  /** No batch may begin below this. */
  #nextOffset: number
  /** The last offset that the index gives to the batch that is to come first. */
  #indexedOffset: number | undefined
  /** That one, when it ends earlier: then one after it must hold the indexed offset. */
  #indexedPosition: number | undefined
  /** The last batch that was passed. */
  #lastPosition: number | undefined
  #isLastDoubtful = false

  private constructor(nextOffset: number, indexedOffset: number | undefined) {
    this.#nextOffset = nextOffset
    this.#indexedOffset = indexedOffset
  }

  /**
   * What comes first follows the batch with the offset before `nextOffset`, or begins the segment.
   */
  static from(nextOffset: number): BatchOrder {
    return new BatchOrder(nextOffset, undefined)
  }

  /**
   * What comes first is what an index entry points at. Ours give the last offset of that batch,
   * Kafka's that of the last one of those which were appended together with it.
   */
  static indexed(indexedOffset: number): BatchOrder {
    return new BatchOrder(-1, indexedOffset)
  }

  /** The offset after the last batch. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Where the batch is that was passed last; undefined before the first. */
  get lastPosition(): number | undefined {
    return this.#lastPosition
  }

  /** Whether only the batch after it can tell if a batch with these offsets is in its place. */
  isDoubtful(baseOffset: number, lastOffset: number): boolean {
    return baseOffset !== this.#nextOffset && lastOffset !== this.#indexedOffset
  }

  /**
   * Who is out of place when a batch with these offsets is at `position`: it, or the one before it.
   */
  misplaced(baseOffset: number, lastOffset: number, position: number): Misplaced | undefined {
    const indexed = this.#indexedOffset
    if (indexed !== undefined) {
      if (this.#indexedPosition === undefined) {
        if (lastOffset <= indexed) return undefined
        return {
          position,
          defect: `the last offset is ${lastOffset}, but the index says ${indexed}`,
        }
      }
      if (baseOffset > indexed) return this.misplacedAtEnd()
    }
    if (baseOffset >= this.#nextOffset) return undefined
    const defect = `offset ${baseOffset} follows offset ${this.#nextOffset - 1}`
    return { position: this.#isLastDoubtful ? this.#lastPosition! : position, defect }
  }

  /** Who is out of place when the segment ends here. */
  misplacedAtEnd(): Misplaced | undefined {
    const position = this.#indexedPosition
    const isMissing = position !== undefined && this.#indexedOffset !== undefined
    return isMissing
      ? { position, defect: `offset ${this.#indexedOffset} is in the index but not in the batch` }
      : undefined
  }

  /** A batch that is not misplaced. */
  pass(baseOffset: number, lastOffset: number, position: number): void {
    this.#isLastDoubtful = this.isDoubtful(baseOffset, lastOffset)
    const isShort = this.#indexedOffset !== undefined && this.#lastPosition === undefined
    if (isShort && lastOffset < this.#indexedOffset!) this.#indexedPosition = position
    else this.#indexedOffset = undefined
    this.#nextOffset = lastOffset + 1
    this.#lastPosition = position
  }
}
