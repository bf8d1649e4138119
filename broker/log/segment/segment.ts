// One segment: a file of record batches as they came over the wire, and its two indexes. Bytes are
// only ever added at its end. What it says of itself (size, next offset, indexes) is what has been
// appended, never what is still on its way. Where the bytes are meanwhile is SegmentFile's
// business.

import { join } from 'node:path'
import { RecordBatch, recordBatchOverheadBytes } from '../../../protocol/kafka/recordBatch.ts'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { LogConfig } from '../logConfig.ts'
import type { Allocate, ReadLimits } from '../readResult.ts'
import { baseOffsetAt, walkHeaderBytes } from './batchWalk.ts'
import type { IndexCache } from './indexCache.ts'
import { type IndexCounts, loadOrRebuildIndexes, saveIndex } from './indexFiles.ts'
import { resumeSegment } from './resumedSegment.ts'
import { SegmentFile } from './segmentFile.ts'
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
  /**
   * It was taken up as it was written down, without a look at it: `indexes` does that, before an
   * append.
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
    await segment.#file.open()
    await disk.syncDirectory(directory)
    return segment
  }

  get path(): string {
    return this.#pathOf('.log')
  }

  /** Adds whole batches, whose headers are final, at the end. Not durable before `sync`. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    await this.#file.append(chunks, this.sizeBytes)
    this.accept(chunks)
  }

  /**
   * Takes whole batches into memory that are to be durable in the commit journal; false when there
   * is no room, and they have to be appended. They count once they are accepted.
   */
  stage(chunks: readonly Buffer[]): boolean {
    return this.#file.stage(chunks, this.sizeBytes)
  }

  /** What was staged, or written, is part of the segment from now on. */
  accept(chunks: readonly Buffer[]): void {
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

  /** Writes what was staged so far. */
  writeStaged(): Promise<void> {
    return this.#file.writeStaged()
  }

  /** See SegmentFile. */
  sync(): Promise<void> {
    return this.#file.sync()
  }

  /** Syncs what was appended, or is being appended, since the last time, if anything was. */
  syncAppended(): Promise<void> {
    return this.#file.syncAppended()
  }

  /** Before the commit journal forgets what it has of the segment. */
  syncJournaled(): Promise<void> {
    return this.#file.syncJournaled()
  }

  /**
   * The commit journal relies on what is appended being synced later: `failed` is told when it
   * cannot be.
   */
  set journalFailed(failed: (cause: unknown) => void) {
    this.#file.journalFailed = failed
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

  /** The bytes at `position`; fewer than `length` only at the end of the segment. */
  readAt(
    position: number,
    length: number,
    allocate: Allocate = Buffer.allocUnsafeSlow,
  ): Promise<Buffer> {
    return this.#file.readAt(position, length, allocate)
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

  /** What was appended from `start` on had been checked when it came. */
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
    await this.#file.detach()
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

  /** Cuts off what was appended after `sizeBytes`, durably. */
  cutTo(sizeBytes: number): Promise<void> {
    return this.#file.cutTo(sizeBytes)
  }

  /** The segment is being removed with its log: what is not in its file yet need not get there. */
  discard(): void {
    this.#file.discard()
  }

  /** Waits for what is under way, then lets go of the file. */
  async close(): Promise<void> {
    await this.#file.close()
    this.#cache.indexes.drop(this)
    this.#transactions.drop()
  }

  /**
   * Renames the files so that no restart takes them for the log's. They can be read until closed.
   */
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
