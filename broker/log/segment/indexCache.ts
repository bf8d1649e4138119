// What segments share, bounded for the whole process: the files that are open, what is staged to be
// written, and what is kept in memory of the segments that are no longer appended to, which is at
// most 20 bytes for each 4096 of log in use, 34 for each aborted transaction, and never more than
// the bounds, however long the logs.

import { LoadedIndexes } from './loadedIndexes.ts'
import { OpenFiles } from './openFiles.ts'
import type { SegmentIndexes } from './segmentIndexes.ts'
import type { TransactionIndex } from './transactionIndex.ts'
import type { WriteBehind } from './writeBehind.ts'

const defaultMaxOpenFiles = 512
const defaultMaxBytes = 64 * 1024 * 1024
/** Apart from the others, which a search for aborted transactions would else push out. */
const defaultMaxTransactionBytes = 16 * 1024 * 1024

export interface IndexCacheOptions {
  readonly maxBytes?: number
  readonly maxOpenFiles?: number
  /** Without one, what is appended is written at once. */
  readonly writeBehind?: WriteBehind | undefined
}

export class IndexCache {
  readonly indexes: LoadedIndexes<SegmentIndexes>
  readonly transactions = new LoadedIndexes<TransactionIndex>(defaultMaxTransactionBytes)
  readonly files: OpenFiles
  readonly writeBehind: WriteBehind | undefined

  constructor(options: IndexCacheOptions = {}) {
    const { maxBytes = defaultMaxBytes, maxOpenFiles = defaultMaxOpenFiles, writeBehind } = options
    this.files = new OpenFiles(maxOpenFiles)
    this.indexes = new LoadedIndexes(maxBytes)
    this.writeBehind = writeBehind
  }

  /** The bytes of everything kept. */
  get sizeInBytes(): number {
    return this.indexes.sizeInBytes + this.transactions.sizeInBytes
  }
}
