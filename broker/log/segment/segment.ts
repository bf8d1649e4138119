// One segment of a log: a file of record batches in wire format, with its indexes. logSegments.ts
// has the segments of one log in order.
//
// Contract: batches are only added at the end. Size, next offset and indexes cover accepted
// batches, never batches in flight. Callers append one at a time. Must never return bytes that are
// not exactly what was appended, nor decide how far a reader may read.

import { join } from 'node:path'
import {
  RecordBatch,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { LogConfig } from '../logConfig.ts'
import type { Allocate, ReadLimits } from '../readResult.ts'
import { baseOffsetAt, walkHeaderBytes } from './batchWalk.ts'
import type { IndexCache } from './indexes/indexCache.ts'
import { type IndexCounts, loadOrRebuildIndexes, saveIndex } from './indexes/indexFiles.ts'
import { noTimestamp, SegmentIndexes } from './indexes/segmentIndexes.ts'
import { type AbortedTransactionEntry, TransactionIndex } from './indexes/transactionIndex.ts'
import type { SavedTransactions } from './indexes/transactionIndexFile.ts'
import { resumeSegment } from './resumedSegment.ts'
import { SegmentFile } from './segmentFile.ts'
import {
  deletedSuffix,
  type SegmentSuffix,
  segmentFileName,
  segmentSuffixes,
} from './segmentFiles.ts'
import { SegmentReader } from './segmentReader.ts'
import { SegmentTransactions } from './segmentTransactions.ts'

/** The directory and settings of the segments of a log. */
export interface LogPlace {
  readonly disk: Disk
  readonly directory: string
  readonly config: LogConfig
  readonly cache: IndexCache
}

export interface SegmentState {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  /** Number of bytes in use. */
  readonly sizeBytes: number
  /** The offset after the segment's last record. */
  readonly nextOffset: number
  /** Set for the active segment; other segments use `cache`. */
  readonly indexes: SegmentIndexes | undefined
  /** Number of entries that are already in the index files. */
  readonly savedEntries: IndexCounts
  /** Set for an active segment that already has aborted transactions. */
  readonly transactions?: SavedTransactions | undefined
  readonly cache: IndexCache
  readonly indexIntervalBytes: number
  /** The segment is active, and loads its indexes on first use. */
  readonly isAsleep?: boolean
  /** Set if it is known. */
  readonly largestTimestampMs?: number | undefined
}

export class Segment {
  readonly baseOffset: number
  sizeBytes: number
  nextOffset: number
  /**
   * The segment was reopened from saved state and its end has not been checked yet. `indexes`
   * checks it, and is called before an append.
   */
  isAsleep: boolean
  readonly #disk: Disk
  readonly #directory: string
  readonly #cache: IndexCache
  readonly #indexIntervalBytes: number
  readonly #reader: SegmentReader
  readonly #transactions: SegmentTransactions
  #indexes: SegmentIndexes | undefined
  #savedEntries: IndexCounts
  #largestTimestampMs: number | undefined
  #waking: Promise<SegmentIndexes> | undefined
  #isDeleted = false
  readonly #file: SegmentFile
  #holders = 0
  #onReleased: (() => void) | undefined

  constructor(state: SegmentState) {
    this.baseOffset = state.baseOffset
    this.sizeBytes = state.sizeBytes
    this.nextOffset = state.nextOffset
    this.#disk = state.disk
    this.#directory = state.directory
    this.#cache = state.cache
    this.#indexes = state.indexes
    this.isAsleep = state.isAsleep ?? false
    this.#largestTimestampMs = state.largestTimestampMs
    this.#file = new SegmentFile({
      disk: state.disk,
      path: () => this.path,
      mode: state.indexes || this.isAsleep ? 'write' : 'read',
      files: state.cache.files,
      writeBehind: state.cache.writeBehind,
    })
    this.#savedEntries = state.savedEntries
    this.#indexIntervalBytes = state.indexIntervalBytes
    this.#reader = new SegmentReader(this)
    const isNew = state.indexes !== undefined && state.transactions === undefined
    this.#transactions = new SegmentTransactions(isNew ? { ...state, transactions: none() } : state)
  }

  /** Creates an empty segment, whose file exists durably. */
  static async create(place: LogPlace, baseOffset: number): Promise<Segment> {
    const { disk, directory, cache, config } = place
    const { indexIntervalBytes } = config
    const segment = new Segment({
      disk,
      directory,
      cache,
      indexIntervalBytes,
      baseOffset,
      sizeBytes: 0,
      nextOffset: baseOffset,
      indexes: SegmentIndexes.empty(baseOffset, indexIntervalBytes),
      savedEntries: { offsets: 0, times: 0 },
    })
    await segment.#file.open()
    await disk.syncDirectory(directory)
    return segment
  }

  get path(): string {
    return this.#pathOf('.log')
  }

  /** Appends whole batches with final headers. Not durable before `sync`. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    await this.#file.append(chunks, this.sizeBytes)
    this.accept(chunks)
  }

  /**
   * Holds whole batches in memory that the commit journal makes durable. Returns false without
   * memory for them: they have to be appended. The segment includes them after `accept`.
   */
  stage(chunks: readonly Buffer[]): boolean {
    return this.#file.stage(chunks, this.sizeBytes)
  }

  /** The staged or written batches are part of the segment from now on. */
  accept(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) this.#observe(chunk)
  }

  /** A marker in this segment aborted these transactions. */
  noteAborted(transactions: readonly AbortedTransactionEntry[]): void {
    for (const transaction of transactions) this.#transactions.append(transaction)
  }

  /** The transactions whose abort markers are in this segment. */
  abortedTransactions(): TransactionIndex | Promise<TransactionIndex> {
    return this.#transactions.index()
  }

  /** Writes the bytes staged so far. */
  writeStaged(): Promise<void> {
    return this.#file.writeStaged()
  }

  /** See SegmentFile. */
  sync(): Promise<void> {
    return this.#file.sync()
  }

  /** Syncs if bytes were appended, or began to be appended, after the last sync. */
  syncAppended(): Promise<void> {
    return this.#file.syncAppended()
  }

  /** Called before the commit journal drops the bytes that it has of the segment. */
  syncJournaled(): Promise<void> {
    return this.#file.syncJournaled()
  }

  /**
   * The commit journal relies on a later sync of appended bytes; `onFailure` is called if it fails.
   */
  set journalFailed(onFailure: (cause: unknown) => void) {
    this.#file.journalFailed = onFailure
  }

  /** Whether an index of the active segment has reached `maxIndexBytes`. */
  indexesFull(maxIndexBytes: number): boolean {
    return this.#indexes?.isFull(maxIndexBytes) ?? false
  }

  /** The indexes: in memory for the active segment, otherwise cached, loaded or rebuilt. */
  indexes(): SegmentIndexes | Promise<SegmentIndexes> {
    if (this.#indexes) return this.#indexes
    if (this.isAsleep) return this.#wake()
    return this.#cache.indexes.get(this, () => this.#loadIndexes())
  }

  /**
   * Writes and syncs the index entries that are not in the files yet. A later recovery from
   * `nextOffset` does not have to read the batches of the segment.
   */
  async saveIndexes(): Promise<void> {
    const indexes = this.#indexes
    if (!indexes) return
    indexes.noteMaxTimestamp()
    const { offsets, times } = indexes
    const saved = this.#savedEntries
    const counts = { offsets: offsets.count, times: times.count }
    // The time index is saved first. After a crash between the two, it covers every batch that the
    // offset index covers, and its surplus entries are dropped when the rest is scanned.
    await saveIndex(this.#disk, this.#pathOf('.timeindex'), times, saved.times)
    await saveIndex(this.#disk, this.#pathOf('.index'), offsets, saved.offsets)
    await this.#transactions.save()
    this.#savedEntries = counts
  }

  /** No more appends: the indexes, which are already saved, may be evicted. */
  seal(): void {
    if (this.#indexes) {
      this.#largestTimestampMs = this.#indexes.maxTimestampMs
      this.#cache.indexes.put(this, this.#indexes)
    }
    this.#indexes = undefined
    this.isAsleep = false
    this.#transactions.seal()
  }

  /** The bytes at `position`; fewer than `length` only at the end of the segment. */
  readAt(
    position: number,
    length: number,
    allocate: Allocate = Buffer.allocUnsafeSlow,
  ): Promise<Buffer> {
    return this.#file.readAt(position, length, allocate)
  }

  /** The largest timestamp of all records; undefined if it is not known without a read. */
  get knownLargestTimestampMs(): number | undefined {
    return this.#indexes?.maxTimestampMs ?? this.#largestTimestampMs
  }

  /** The largest timestamp of all records; without any, the modification time of the file. */
  async largestTimestamp(): Promise<number> {
    const known = this.knownLargestTimestampMs ?? (await this.indexes()).maxTimestampMs
    if (!this.#indexes) this.#largestTimestampMs = known
    if (known > noTimestamp) return known
    return (await this.#disk.stat(this.path))?.modifiedMs ?? 0
  }

  /** The largest timestamp of the first batch; undefined without one. */
  async firstTimestamp(): Promise<number | undefined> {
    if (this.sizeBytes === 0) return undefined
    return new RecordBatch(await this.readAt(0, recordBatchOverheadBytes)).maxTimestamp
  }

  /** Reads whole batches from the one that holds `offset` on, see SegmentReader. */
  read(offset: number, limits: ReadLimits, limitPosition: number): Promise<Buffer> {
    return this.#reader.read(offset, limits, limitPosition)
  }

  /** The bytes from `start` on were verified when they were appended. */
  noteChecked(start: number, nowMs: number): void {
    this.#reader.noteChecked(start, this.sizeBytes, nowMs)
  }

  /** The position of the first batch whose last offset is at least `offset`; undefined beyond. */
  locate(offset: number, limitPosition: number): Promise<number | undefined> {
    return this.#reader.locate(offset, limitPosition)
  }

  /** The base offset of the first batch whose last offset is at least `offset`. */
  async baseOffsetOfBatch(offset: number): Promise<number | undefined> {
    const position = await this.locate(offset, this.sizeBytes)
    if (position === undefined) return undefined
    return baseOffsetAt(await this.readAt(position, walkHeaderBytes), 0)
  }

  /** Keeps the file open until `release`, even if another segment replaces this one. */
  hold(): void {
    this.#holders++
  }

  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#onReleased?.()
  }

  /**
   * Makes the segment independent of its file names, which other files take over. Reads continue.
   */
  async detach(): Promise<void> {
    await this.#file.detach()
    this.#indexes = await this.indexes()
    await this.#transactions.detach()
  }

  /** Closes the segment when no holder is left. */
  async retire(): Promise<void> {
    if (this.#holders > 0) {
      await new Promise<void>((resolve) => {
        this.#onReleased = resolve
      })
    }
    await this.close()
  }

  /** Truncates the file to `sizeBytes`, durably. */
  cutTo(sizeBytes: number): Promise<void> {
    return this.#file.cutTo(sizeBytes)
  }

  /** The segment is being deleted with its log: staged bytes need not be written. */
  discard(): void {
    this.#file.discard()
  }

  /** Waits for operations in progress, then closes the file. */
  async close(): Promise<void> {
    await this.#file.close()
    this.#cache.indexes.drop(this)
    this.#transactions.drop()
  }

  /**
   * Renames the files, so that a restart does not open them. They can be read until they are
   * closed.
   */
  async markDeleted(): Promise<void> {
    const before = segmentSuffixes.map((suffix) => this.#pathOf(suffix))
    this.#isDeleted = true
    for (const path of before) {
      if (await this.#disk.stat(path)) await this.#disk.rename(path, path + deletedSuffix)
    }
  }

  /** Removes the files of the closed segment. */
  async remove(): Promise<void> {
    for (const suffix of segmentSuffixes) await this.#disk.remove(this.#pathOf(suffix))
  }

  #observe(chunk: Buffer): void {
    const indexes = this.#indexes
    for (let at = 0; at < chunk.length; ) {
      const batch = new RecordBatch(chunk, at)
      const size = batch.sizeInBytes
      indexes?.observe(batch.lastOffset, batch.maxTimestamp, this.sizeBytes, size)
      this.sizeBytes += size
      this.nextOffset = batch.nextOffset
      at += size
    }
  }

  /** Checks that the segment still ends where it did, and loads its indexes. */
  #wake(): Promise<SegmentIndexes> {
    this.#waking ??= this.#file
      .using(async () => {
        const file = await this.#file.open()
        const intervalBytes = this.#indexIntervalBytes
        const resumed = await resumeSegment(this.#disk, this.#directory, file, this, intervalBytes)
        this.#transactions.resume(resumed.transactions)
        this.#savedEntries = resumed.savedEntries
        this.#indexes = resumed.indexes
        this.isAsleep = false
        return resumed.indexes
      })
      .finally(() => {
        this.#waking = undefined
      })
    return this.#waking
  }

  #loadIndexes(): Promise<SegmentIndexes> {
    const { baseOffset, sizeBytes } = this
    const intervalBytes = this.#indexIntervalBytes
    return loadOrRebuildIndexes(this.#disk, this.#directory, baseOffset, sizeBytes, intervalBytes)
  }

  #pathOf(suffix: SegmentSuffix): string {
    const path = join(this.#directory, segmentFileName(this.baseOffset, suffix))
    return this.#isDeleted ? path + deletedSuffix : path
  }
}

function none(): SavedTransactions {
  return { index: TransactionIndex.empty(), savedEntries: undefined }
}
