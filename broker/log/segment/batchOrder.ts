// Checks that the offsets of consecutive batches in a segment are plausible. No checksum covers the
// base offset of a batch, because the broker sets it after the producer has computed the checksum;
// a damaged base offset can only be detected by comparing it with its neighbours. A batch that
// starts where the previous one ends is in order. After a gap, which compaction leaves, a batch is
// in order only if it does not overlap the next one.
//
// Receives one batch after another, by their positions in the file. Does no I/O.

/** A batch whose offsets contradict its position. */
export interface Misplaced {
  readonly position: number
  readonly defect: string
}

export class BatchOrder {
  /** No batch may have a base offset below it. */
  #nextOffset: number
  /** The last offset that the index has for the first batch. */
  #indexedOffset: number | undefined
  /**
   * Position of the first batch if it ends before the indexed offset: a later batch must hold that
   * offset.
   */
  #indexedPosition: number | undefined
  /** Position of the batch that was passed last. */
  #lastPosition: number | undefined
  #isLastDoubtful = false

  private constructor(nextOffset: number, indexedOffset: number | undefined) {
    this.#nextOffset = nextOffset
    this.#indexedOffset = indexedOffset
  }

  /** The first batch starts the segment, or follows the batch that ends before `nextOffset`. */
  static from(nextOffset: number): BatchOrder {
    return new BatchOrder(nextOffset, undefined)
  }

  /**
   * An index entry points at the first batch. Entries written by Millrace have the last offset of
   * that batch; entries written by Kafka have that of the last batch of the same append.
   */
  static indexed(indexedOffset: number): BatchOrder {
    return new BatchOrder(-1, indexedOffset)
  }

  /** The offset after the last batch. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Position of the batch that was passed last; undefined before the first. */
  get lastPosition(): number | undefined {
    return this.#lastPosition
  }

  /** Whether a batch with these offsets is in order can be decided only by the batch after it. */
  isDoubtful(baseOffset: number, lastOffset: number): boolean {
    return baseOffset !== this.#nextOffset && lastOffset !== this.#indexedOffset
  }

  /**
   * The batch that is out of order, if one with these offsets is at `position`: that one, or the
   * one before it.
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

  /** The batch that is out of order if the segment ends here. */
  misplacedAtEnd(): Misplaced | undefined {
    const position = this.#indexedPosition
    const isMissing = position !== undefined && this.#indexedOffset !== undefined
    return isMissing
      ? { position, defect: `offset ${this.#indexedOffset} is in the index but not in the batch` }
      : undefined
  }

  /** Adds a batch that is in order. */
  pass(baseOffset: number, lastOffset: number, position: number): void {
    this.#isLastDoubtful = this.isDoubtful(baseOffset, lastOffset)
    const isShort = this.#indexedOffset !== undefined && this.#lastPosition === undefined
    if (isShort && lastOffset < this.#indexedOffset!) this.#indexedPosition = position
    else this.#indexedOffset = undefined
    this.#nextOffset = lastOffset + 1
    this.#lastPosition = position
  }
}
