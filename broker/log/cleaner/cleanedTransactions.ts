// Tracks the transactions of a log while the cleaner passes its batches in order, and decides which
// batches are discarded: records of aborted transactions, and markers of transactions without
// remaining batches (Kafka's CleanedTransactionMetadata). Must never discard a marker while a batch
// of its transaction is in the log, even an empty one: readers would take the transaction for open.

import { readEndTransactionMarker } from '../../../protocol/kafka/records/endTransactionMarker.ts'
import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { AbortedTransactionEntry } from '../segment/indexes/transactionIndex.ts'

interface OngoingAbort {
  readonly transaction: AbortedTransactionEntry
  hasBatches: boolean
}

export class CleanedTransactions {
  /** Ordered by first offset; taken as their batches pass. */
  readonly #aborted: readonly AbortedTransactionEntry[]
  #next = 0
  readonly #ongoingAborts = new Map<number, OngoingAbort>()
  /** Producers with batches whose marker has not passed yet. */
  readonly #ongoingCommits = new Set<number>()
  readonly #onKept: (transaction: AbortedTransactionEntry) => void

  /**
   * `aborted`: all aborted transactions that begin below the end of the cleaned range. `onKept` is
   * called with each transaction whose abort marker is kept, because readers need it.
   */
  constructor(
    aborted: readonly AbortedTransactionEntry[],
    onKept: (transaction: AbortedTransactionEntry) => void = () => undefined,
  ) {
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
    this.#onKept = onKept
  }

  /**
   * Whether to discard the records of the next batch: aborted ones, or a marker without a
   * transaction.
   */
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
    // A batch emptied earlier belongs to a transaction without remaining records.
    if (batch.recordCount === 0) return true
    const marker = readEndTransactionMarker(batch)
    if (marker === undefined) return false
    if (marker.isCommit) return !this.#ongoingCommits.delete(producerId)
    const ongoing = this.#ongoingAborts.get(producerId)
    this.#ongoingAborts.delete(producerId)
    if (!ongoing?.hasBatches) return true
    this.#onKept(ongoing.transaction)
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
