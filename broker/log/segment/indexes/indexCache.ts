// Resources shared by all segments of a process: open files, staged bytes, and the indexes of
// sealed segments. Bounded for the process, however long the logs are. Indexes take at most 20
// bytes for each 4096 bytes of log in use, and 34 bytes for each aborted transaction.

import type { RarePoints } from '../../../../protocol/runtime/rarePoints.ts'
import { OpenFiles } from '../openFiles.ts'
import type { WriteBehind } from '../writeBehind.ts'
import { LoadedIndexes } from './loadedIndexes.ts'
import type { SegmentIndexes } from './segmentIndexes.ts'
import type { TransactionIndex } from './transactionIndex.ts'

const defaultMaxOpenFiles = 512
const defaultMaxBytes = 64 * 1024 * 1024
/** Separate from the other indexes, which a search for aborted transactions would evict. */
const defaultMaxTransactionBytes = 16 * 1024 * 1024

export interface IndexCacheOptions {
  readonly maxBytes?: number
  readonly maxOpenFiles?: number
  /** Without one, appended bytes are written immediately. */
  readonly writeBehind?: WriteBehind | undefined
  readonly rarePoints?: RarePoints | undefined
}

export class IndexCache {
  readonly indexes: LoadedIndexes<SegmentIndexes>
  readonly transactions = new LoadedIndexes<TransactionIndex>(defaultMaxTransactionBytes)
  readonly files: OpenFiles
  readonly writeBehind: WriteBehind | undefined

  constructor(options: IndexCacheOptions = {}) {
    const { maxBytes = defaultMaxBytes, maxOpenFiles = defaultMaxOpenFiles, writeBehind } = options
    this.files = new OpenFiles(maxOpenFiles, options.rarePoints)
    this.indexes = new LoadedIndexes(maxBytes)
    this.writeBehind = writeBehind
  }

  /** Bytes of all cached indexes. */
  get sizeInBytes(): number {
    return this.indexes.sizeInBytes + this.transactions.sizeInBytes
  }
}
