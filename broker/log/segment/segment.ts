// One segment: a file of record batches as they came over the wire, and its two indexes. Bytes are
// only ever added at its end. What it says of itself (size, next offset, indexes) is what has been
// written, never what is still on its way.

import { join } from 'node:path'
import { RecordBatch, recordBatchOverheadBytes } from '../../../protocol/kafka/recordBatch.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile, DiskMode } from '../../../protocol/runtime/disk.ts'
import type { LogConfig } from '../logConfig.ts'
import { LogError, writeFailed } from '../logError.ts'
import type { Allocate, ReadLimits } from '../readResult.ts'
import { baseOffsetAt, walkHeaderBytes } from './batchWalk.ts'
import type { IndexCache } from './indexCache.ts'
import { type IndexCounts, loadOrRebuildIndexes, saveIndex } from './indexFiles.ts'
import { resumeSegment } from './resumedSegment.ts'
import {
  deletedSuffix,
  type SegmentSuffix,
  segmentFileName,
  segmentSuffixes,
} from './segmentFiles.ts'
import { noTimestamp, SegmentIndexes } from './segmentIndexes.ts'
import { SegmentReader } from './segmentReader.ts'
import { SegmentTransactions } from './segmentTransactions.ts'
import { type AbortedTransactionEntry, TransactionIndex } from './transactionIndex.ts'
import type { SavedTransactions } from './transactionIndexFile.ts'

/** Where the segments of a log lie, and how they are kept. */
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
  /** What is used of the file. */
  readonly sizeBytes: number
  /** The offset after the segment's last record. */
  readonly nextOffset: number
  /** Given for a segment that is appended to; others find theirs through `cache`. */
  readonly indexes: SegmentIndexes | undefined
  /** How many of their first entries are in the index files. */
  readonly savedEntries: IndexCounts
  /** Of a segment that is appended to, when it has aborted transactions already. */
  readonly transactions?: SavedTransactions | undefined
  readonly cache: IndexCache
  readonly indexIntervalBytes: number
  /** It is appended to, and finds its indexes when it is first needed. */
  readonly isAsleep?: boolean
  /** Where it is known already. */
  readonly largestTimestampMs?: number | undefined
}

export class Segment {
  readonly baseOffset: number
  sizeBytes: number
  nextOffset: number
  /** It was taken up as it was written down, without a look at it: `indexes` does that, before an append. */
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
  /** The file cannot be opened a second time. */
  #isDetached = false
  /** Why a sync that nobody waited for has failed. */
  #failure: LogError | undefined
  readonly #mode: DiskMode
  #file: Promise<DiskFile> | undefined
  #uses = 0
  /** The append under way. */
  #writing: Promise<void> | undefined
  /** Bytes were appended since the last sync began. */
  #isUnsynced = false
  /** The sync under way that covers everything appended before it. */
  #syncing: Promise<void> | undefined
  /** Set when the commit journal relies on what is appended being synced in time: told when it is not. */
  journalFailed: ((cause: unknown) => void) | undefined
  #isClosed = false
  #onIdle: (() => void) | undefined
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
    this.#mode = state.indexes || this.isAsleep ? 'write' : 'read'
    this.#savedEntries = state.savedEntries
    this.#indexIntervalBytes = state.indexIntervalBytes
    this.#reader = new SegmentReader(this)
    const isNew = state.indexes !== undefined && state.transactions === undefined
    this.#transactions = new SegmentTransactions(isNew ? { ...state, transactions: none() } : state)
  }

  /** A new one, whose file is there durably. */
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
    await segment.#openFile()
    await disk.syncDirectory(directory)
    return segment
  }

  get path(): string {
    return this.#pathOf('.log')
  }

  /** Adds whole batches, whose headers are final, at the end. Not durable before `sync`. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    const writing = this.#using(async () => {
      const file = await this.#openFile()
      try {
        await file.write(chunks, this.sizeBytes)
      } finally {
        // Not before: a sync that was begun meanwhile may not cover all of it.
        this.#isUnsynced = true
      }
    })
    this.#writing = writing
    try {
      await writing
    } finally {
      this.#writing = undefined
    }
    for (const chunk of chunks) this.#observe(chunk)
  }

  /** A marker that was appended here ended these. */
  noteAborted(transactions: readonly AbortedTransactionEntry[]): void {
    for (const transaction of transactions) this.#transactions.append(transaction)
  }

  /** The transactions whose abort markers lie here. */
  abortedTransactions(): TransactionIndex | Promise<TransactionIndex> {
    return this.#transactions.index()
  }

  /**
   * Covers everything whose append has begun. Throws LogError. For whatever reason a sync fails, what is then on the disk is unknown: the system
   * may have given up the pages, and would report success the next time.
   */
  async sync(): Promise<void> {
    const writing = this.#writing
    const syncing = this.#using(async () => {
      // No use that counts: it may be the last one before the file is let go.
      const file = await (this.#file ?? this.#openFile())
      // Whether it succeeds is told to whoever appends.
      await writing?.catch(() => {})
      // Before it begins: what is appended meanwhile may not be covered.
      this.#isUnsynced = false
      try {
        await file.sync()
      } catch (cause) {
        throw writeFailed(this.path, cause)
      }
    })
    this.#syncing = syncing
    try {
      await syncing
    } finally {
      if (this.#syncing === syncing) this.#syncing = undefined
    }
  }

  /** Syncs what was appended, or is being appended, since the last time, if anything was. */
  async syncAppended(): Promise<void> {
    await (this.#isUnsynced || this.#writing ? this.sync() : this.#syncing)
  }

  /** The same for the commit journal: once the segment is closed there is nothing to do any more. */
  async syncJournaled(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.syncAppended()
    } catch (error) {
      this.journalFailed?.(error)
      throw error
    }
  }

  /** Whether an index of the segment being appended to has reached `maxIndexBytes`. */
  indexesFull(maxIndexBytes: number): boolean {
    return this.#indexes?.isFull(maxIndexBytes) ?? false
  }

  /** The indexes: at hand for the active segment, else from their files or built again. */
  indexes(): SegmentIndexes | Promise<SegmentIndexes> {
    if (this.#indexes) return this.#indexes
    if (this.isAsleep) return this.#wake()
    return this.#cache.indexes.get(this, () => this.#loadIndexes())
  }

  /**
   * Writes the index entries that are not in the files yet, and syncs them: after this, a recovery
   * from `nextOffset` does not have to look at the segment's batches.
   */
  async saveIndexes(): Promise<void> {
    const indexes = this.#indexes
    if (!indexes) return
    indexes.noteMaxTimestamp()
    const { offsets, times } = indexes
    const saved = this.#savedEntries
    const counts = { offsets: offsets.count, times: times.count }
    // The time index goes first: after a crash between the two it knows of every batch that the
    // offset index knows of, and what is over is dropped with the walk from there.
    await saveIndex(this.#disk, this.#pathOf('.timeindex'), times, saved.times)
    await saveIndex(this.#disk, this.#pathOf('.index'), offsets, saved.offsets)
    await this.#transactions.save()
    this.#savedEntries = counts
  }

  /** Nothing more is appended: the indexes, already saved, may leave memory. */
  seal(): void {
    if (this.#indexes) {
      this.#largestTimestampMs = this.#indexes.maxTimestampMs
      this.#cache.indexes.put(this, this.#indexes)
    }
    this.#indexes = undefined
    this.isAsleep = false
    this.#transactions.seal()
  }

  /** The bytes at `position`; fewer than `length` only at the end of the file. */
  readAt(
    position: number,
    length: number,
    allocate: Allocate = Buffer.allocUnsafeSlow,
  ): Promise<Buffer> {
    return this.#using(async () => {
      const file = await this.#openFile()
      const bytes = allocate(length)
      const filled = await file.read(bytes, position)
      return filled === length ? bytes : bytes.subarray(0, filled)
    })
  }

  /** The largest timestamp of all records; undefined when the disk would have to be asked. */
  get knownLargestTimestampMs(): number | undefined {
    return this.#indexes?.maxTimestampMs ?? this.#largestTimestampMs
  }

  /** The largest timestamp of all records; without any, when the file was last changed. */
  async largestTimestamp(): Promise<number> {
    const known = this.knownLargestTimestampMs ?? (await this.indexes()).maxTimestampMs
    if (!this.#indexes) this.#largestTimestampMs = known
    if (known > noTimestamp) return known
    return (await this.#disk.stat(this.path))?.modifiedMs ?? 0
  }

  /** The largest timestamp of the first batch; undefined when there is none. */
  async firstTimestamp(): Promise<number | undefined> {
    if (this.sizeBytes === 0) return undefined
    return new RecordBatch(await this.readAt(0, recordBatchOverheadBytes)).maxTimestamp
  }

  /** Whole batches from the one that holds `offset` on, see SegmentReader. */
  read(offset: number, limits: ReadLimits, limitPosition: number): Promise<Buffer> {
    return this.#reader.read(offset, limits, limitPosition)
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

  /** Keeps the file open until `release`, also when another segment takes this one's place. */
  hold(): void {
    this.#holders++
  }

  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#onReleased?.()
  }

  /** Needs its files' names no longer: reads go on when the names are given to other files. */
  async detach(): Promise<void> {
    this.#isDetached = true
    await this.#openFile()
    this.#indexes = await this.indexes()
    await this.#transactions.detach()
  }

  /** Closes the segment once nobody holds it. */
  async retire(): Promise<void> {
    if (this.#holders > 0) {
      await new Promise<void>((resolve) => {
        this.#onReleased = resolve
      })
    }
    await this.close()
  }

  /** Cuts off what was written after `sizeBytes`, durably. */
  async cutTo(sizeBytes: number): Promise<void> {
    const file = await this.#disk.open(this.path, 'write')
    try {
      await file.truncate(sizeBytes)
      await file.sync()
      const stat = await file.stat()
      assert(stat.sizeBytes === sizeBytes, 'a file is as long as it was made')
    } finally {
      await file.close()
    }
  }

  /** Waits for what is under way, then lets go of the file. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#uses > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    this.#cache.indexes.drop(this)
    this.#cache.files.closed(this)
    this.#transactions.drop()
    const file = await this.#file
    this.#file = undefined
    // Of a log that failed: its journaled records may still be kept. What fails here is known already.
    if (this.journalFailed && this.#isUnsynced) await file?.sync().catch(() => {})
    await file?.close()
  }

  /** Closes the file, after syncing it, until it is needed again; see FileHolder. */
  async letGo(): Promise<boolean> {
    try {
      if (this.#isUnsynced && !this.#isClosed && !this.#failure) await this.sync()
    } catch (error) {
      // Told to whoever needs the file next, so that nobody takes the bytes for durable.
      if (error instanceof LogError) this.#failure = error
    }
    if (this.#isClosed || !this.#file) return true
    if (this.#uses > 0 || this.#isUnsynced || this.#isDetached || this.#failure) return false
    const file = this.#file
    this.#file = undefined
    await (await file).close().catch(() => {})
    return true
  }

  /** Renames the files so that no restart takes them for the log's. They can be read until closed. */
  async markDeleted(): Promise<void> {
    const before = segmentSuffixes.map((suffix) => this.#pathOf(suffix))
    this.#isDeleted = true
    for (const path of before) {
      if (await this.#disk.stat(path)) await this.#disk.rename(path, path + deletedSuffix)
    }
  }

  /** Removes the segment's files, once closed. */
  async remove(): Promise<void> {
    for (const suffix of segmentSuffixes) await this.#disk.remove(this.#pathOf(suffix))
  }

  /** Keeps the file open until the operation has ended. */
  async #using<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#uses++
    try {
      return await operation()
    } finally {
      this.#uses--
      if (this.#uses === 0) this.#onIdle?.()
    }
  }

  #openFile(): Promise<DiskFile> {
    if (this.#isClosed) throw new LogError('LOG_CLOSED', `${this.path} is closed`)
    if (this.#failure) throw this.#failure
    this.#cache.files.used(this)
    this.#file ??= this.#disk.open(this.path, this.#mode).catch((error: unknown) => {
      this.#file = undefined
      throw error
    })
    return this.#file
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

  /** Looks whether the segment still ends as it did, and takes up its indexes. */
  #wake(): Promise<SegmentIndexes> {
    this.#waking ??= this.#using(async () => {
      const file = await this.#openFile()
      const intervalBytes = this.#indexIntervalBytes
      const resumed = await resumeSegment(this.#disk, this.#directory, file, this, intervalBytes)
      this.#transactions.resume(resumed.transactions)
      this.#savedEntries = resumed.savedEntries
      this.#indexes = resumed.indexes
      this.isAsleep = false
      return resumed.indexes
    }).finally(() => {
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
