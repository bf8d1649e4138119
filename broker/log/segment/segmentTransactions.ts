// The aborted transactions of one segment: in memory while the segment is active, afterwards loaded
// on demand. Never creates a file for a segment without aborted transactions.

import { join } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { IndexCache } from './indexes/indexCache.ts'
import { saveIndex } from './indexes/indexFiles.ts'
import type { AbortedTransactionEntry, TransactionIndex } from './indexes/transactionIndex.ts'
import { loadTransactions, type SavedTransactions } from './indexes/transactionIndexFile.ts'
import { segmentFileName } from './segmentFiles.ts'

export interface SegmentTransactionsState {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  readonly cache: IndexCache
  /** Undefined for a sealed segment. */
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

  /** The segment becomes active again with the transactions it was closed with. */
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

  /** Writes and syncs the entries that are not in the file yet. */
  async save(): Promise<void> {
    const index = this.#index
    if (!index || (index.count === 0 && this.#savedEntries === undefined)) return
    const { count } = index
    const path = join(this.#directory, segmentFileName(this.#baseOffset, '.txnindex'))
    await saveIndex(this.#disk, path, index, this.#savedEntries ?? 0)
    this.#savedEntries = count
  }

  /** No more appends: the index, which is already saved, may be evicted. */
  seal(): void {
    if (this.#index) this.#cache.transactions.put(this, this.#index)
    this.#index = undefined
  }

  /** Loads the index: its file name is taken over by another file. */
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
