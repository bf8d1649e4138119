// The aborted transactions of one segment: in memory while it is appended to, afterwards read from
// its file when somebody asks. It never makes a file for a segment that has none.

import { join } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { IndexCache } from './indexCache.ts'
import { saveIndex } from './indexFiles.ts'
import { segmentFileName } from './segmentFiles.ts'
import type { AbortedTransactionEntry, TransactionIndex } from './transactionIndex.ts'
import { loadTransactions, type SavedTransactions } from './transactionIndexFile.ts'

export interface SegmentTransactionsState {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  readonly cache: IndexCache
  /** Undefined for a segment that is not appended to. */
  readonly transactions?: SavedTransactions | undefined
}

export class SegmentTransactions {
  readonly #disk: Disk
  readonly #directory: string
  readonly #baseOffset: number
  readonly #cache: IndexCache
  #index: TransactionIndex | undefined
  #savedEntries: number | undefined

  constructor(state: SegmentTransactionsState) {
    this.#disk = state.disk
    this.#directory = state.directory
    this.#baseOffset = state.baseOffset
    this.#cache = state.cache
    this.#index = state.transactions?.index
    this.#savedEntries = state.transactions?.savedEntries
  }

  /** The segment is appended to again, after it was closed with these. */
  resume({ index, savedEntries }: SavedTransactions): void {
    this.drop()
    this.#index = index
    this.#savedEntries = savedEntries
  }

  append(transaction: AbortedTransactionEntry): void {
    assert(this.#index, 'markers are appended only to the active segment')
    this.#index.append(transaction)
  }

  index(): TransactionIndex | Promise<TransactionIndex> {
    return this.#index ?? this.#cache.transactions.get(this, () => this.#load())
  }

  /** Writes what is not in the file yet, and syncs it. */
  async save(): Promise<void> {
    const index = this.#index
    if (!index || (index.count === 0 && this.#savedEntries === undefined)) return
    const { count } = index
    const path = join(this.#directory, segmentFileName(this.#baseOffset, '.txnindex'))
    await saveIndex(this.#disk, path, index, this.#savedEntries ?? 0)
    this.#savedEntries = count
  }

  /** Nothing more is appended: the index, already saved, may leave memory. */
  seal(): void {
    if (this.#index) this.#cache.transactions.put(this, this.#index)
    this.#index = undefined
  }

  /** Needs its file no longer. */
  async detach(): Promise<void> {
    this.#index = await this.index()
  }

  drop(): void {
    this.#cache.transactions.drop(this)
  }

  async #load(): Promise<TransactionIndex> {
    return (await loadTransactions(this.#disk, this.#directory, this.#baseOffset)).index
  }
}
