// Follows the transactions of a log while its batches go by in order, to say which of them are to
// be dropped: records of aborted transactions, and the markers of transactions of which nothing is
// left (Kafka's CleanedTransactionMetadata). It must never call a marker useless while a batch of
// its transaction is still in the log, even an empty one: a reader would think the transaction
// open.

import { readEndTransactionMarker } from '../../../protocol/kafka/endTransactionMarker.ts'
import type { RecordBatch } from '../../../protocol/kafka/recordBatch.ts'
import type { AbortedTransactionEntry } from '../segment/transactionIndex.ts'

interface OngoingAbort {
  readonly transaction: AbortedTransactionEntry
  hasBatches: boolean
}

export class CleanedTransactions {
  /** By first offset, as their batches come. */
  readonly #aborted: readonly AbortedTransactionEntry[]
  #next = 0
  readonly #ongoingAborts = new Map<number, OngoingAbort>()
  /** Producers with batches that no marker has followed yet. */
  readonly #ongoingCommits = new Set<number>()
  readonly #kept: (transaction: AbortedTransactionEntry) => void

  /**
   * `aborted`: all that began below the end of what goes by. `kept` is told of each transaction
   * whose abort marker is still needed: readers have to know of it.
   */
  constructor(
    aborted: readonly AbortedTransactionEntry[],
    kept: (transaction: AbortedTransactionEntry) => void = () => undefined,
  ) {
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
    this.#kept = kept
  }

  /** Whether the next batch's records are to be dropped: aborted ones, or a marker of nothing. */
  isDiscardable(batch: RecordBatch): boolean {
    this.#beginUpTo(batch.lastOffset)
    return batch.isControl ? this.#endsNothing(batch) : this.#isAborted(batch)
  }

  #beginUpTo(offset: number): void {
    for (;;) {
      const transaction = this.#aborted[this.#next]
      if (transaction === undefined || transaction.firstOffset > offset) return
      this.#next++
      this.#ongoingAborts.set(transaction.producerId, { transaction, hasBatches: false })
    }
  }

  #endsNothing(batch: RecordBatch): boolean {
    const { producerId } = batch
    // One that was emptied before is of a transaction that is gone.
    if (batch.recordCount === 0) return true
    const marker = readEndTransactionMarker(batch)
    if (marker === undefined) return false
    if (marker.isCommit) return !this.#ongoingCommits.delete(producerId)
    const ongoing = this.#ongoingAborts.get(producerId)
    this.#ongoingAborts.delete(producerId)
    if (!ongoing?.hasBatches) return true
    this.#kept(ongoing.transaction)
    return false
  }

  #isAborted(batch: RecordBatch): boolean {
    if (!batch.isTransactional) return false
    const { producerId } = batch
    const ongoing = this.#ongoingAborts.get(producerId)
    if (ongoing && batch.lastOffset < ongoing.transaction.lastOffset) {
      ongoing.hasBatches = true
      return true
    }
    this.#ongoingCommits.add(producerId)
    return false
  }
}
