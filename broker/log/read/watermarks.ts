// How far a log may be read: stores the durable end, the high watermark and the last stable offset,
// and signals when one of the first two moves. It decides none of them: the disk decides the
// durable end, the Partition (broker/replication) decides the high watermark.
//
// Invariant, asserted: logStartOffset <= highWatermark <= stableEnd, and highWatermark decreases
// only in `begin`, after a truncation. lastStableOffset <= highWatermark by construction.

import { assert } from '../../../protocol/runtime/assert.ts'
import { UnstableTransactions } from '../producers/unstableTransactions.ts'
import { Signal } from './signal.ts'

/** A log as it was opened, truncated, or cut back after a failed write. */
export interface WatermarkStart {
  readonly logStartOffset: number
  /** All records below it are durable by the flush policy. */
  readonly endOffset: number
  readonly transactions: UnstableTransactions
}

export class Watermarks {
  readonly endMoved = new Signal()
  readonly highWatermarkMoved = new Signal()
  #transactions = new UnstableTransactions()
  #stableEnd = 0
  #stablePosition = 0
  #highWatermark: number

  /** `highWatermark`: from the checkpoint; 0 without one. */
  constructor(highWatermark: number) {
    this.#highWatermark = highWatermark
  }

  /** The offset after the last durable record. */
  get stableEnd(): number {
    return this.#stableEnd
  }

  /** The position in the active segment's file at which that record ends. */
  get stablePosition(): number {
    return this.#stablePosition
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Every transaction that began below has ended, with a marker below the high watermark. */
  get lastStableOffset(): number {
    return Math.min(this.#highWatermark, this.#transactions.firstOffset ?? this.#highWatermark)
  }

  /**
   * The log was opened or truncated. The mark is moved into the log: records below the start were
   * deleted, so they were committed; records above the end do not exist any more.
   */
  begin({ logStartOffset, endOffset, transactions }: WatermarkStart): void {
    assert(logStartOffset <= endOffset, 'a log does not start above its end')
    this.#stableEnd = Math.min(this.#stableEnd, endOffset)
    this.#highWatermark = Math.min(Math.max(this.#highWatermark, logStartOffset), endOffset)
    this.#transactions = transactions
    transactions.settle(this.#highWatermark)
  }

  /**
   * All records below `endOffset` are durable; the last one ends at `position` in the active
   * segment.
   */
  noteStable(endOffset: number, position: number): void {
    assert(endOffset >= this.#stableEnd, 'the durable end of a log decreases only in a truncation')
    const hasMoved = endOffset > this.#stableEnd
    this.#stableEnd = endOffset
    this.#stablePosition = position
    if (hasMoved) this.endMoved.emit()
  }

  /** No effect when the mark is there already. */
  advanceHighWatermark(offset: number): void {
    assert(offset >= this.#highWatermark, 'the high watermark decreases only in a truncation')
    assert(
      offset <= this.#stableEnd,
      'the high watermark does not exceed the durable end of the log',
    )
    if (offset === this.#highWatermark) return
    this.#highWatermark = offset
    this.#transactions.settle(offset)
    this.highWatermarkMoved.emit()
  }
}
