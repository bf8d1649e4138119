// How far a log can be read: what is durable, what consumers may see of that, and who wants to know
// when it moves. It must never let the high watermark go back, but where the log itself was cut.

import { UnstableTransactions } from './producers/unstableTransactions.ts'

export class Watermarks {
  /** Made for the first one: most of thousands of logs have none. */
  #listeners: Set<() => void> | undefined
  #transactions = new UnstableTransactions()
  #stableEnd = 0
  #stablePosition = 0
  #highWatermark = 0
  #followsStableEnd = true

  /** The offset after the last durable record. */
  get stableEnd(): number {
    return this.#stableEnd
  }

  /** Where that record ends in the active segment's file. */
  get stablePosition(): number {
    return this.#stablePosition
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Below it every transaction has ended, with a marker below the high watermark. */
  get lastStableOffset(): number {
    return Math.min(this.#highWatermark, this.#transactions.firstOffset ?? this.#highWatermark)
  }

  /** See `PartitionLog.onAppend`. */
  onAdvance(listener: () => void): () => void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
    return () => this.#listeners?.delete(listener)
  }

  /** The log, opened or cut, ends at `endOffset`, and has these transactions. */
  begin(endOffset: number, transactions: UnstableTransactions): void {
    this.#highWatermark = Math.min(this.#highWatermark, endOffset)
    this.#transactions = transactions
    transactions.settle(this.#highWatermark)
  }

  /** Everything below `endOffset` is durable; it ends at `position` in the active segment. */
  noteStable(endOffset: number, position: number): void {
    this.#stableEnd = endOffset
    this.#stablePosition = position
    if (this.#followsStableEnd) this.#advance(endOffset)
  }

  /** From now on the high watermark does not follow the durable end. */
  setHighWatermark(offset: number): void {
    this.#followsStableEnd = false
    this.#advance(offset)
  }

  #advance(offset: number): void {
    if (offset <= this.#highWatermark) return
    this.#highWatermark = offset
    this.#transactions.settle(offset)
    for (const listener of this.#listeners ?? []) listener()
  }
}
