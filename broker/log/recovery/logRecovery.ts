// Opens the directory of a partition and recovers its log: after a clean shutdown without reading
// records, after a crash by scanning the segments above the recovery point.
//
// An idle log is opened from its saved state (restingLog.ts) without this file (resumedLog.ts).
// Scans of single segments are in segment/.
//
// Contract: all acknowledged records are kept. A torn tail is truncated. Damage in synced data is
// reported and the files are left unchanged: records must never disappear silently.

import { join } from 'node:path'
import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { LeaderEpochs } from '../leaderEpochs.ts'
import type { LogConfig } from '../logConfig.ts'
import { corruptLog, type LogError, missingRecords } from '../logError.ts'
import { decodeProducerSnapshot } from '../producers/producerSnapshot.ts'
import { ProducerState } from '../producers/producerState.ts'
import type { IndexCache } from '../segment/indexes/indexCache.ts'
import { type IndexCounts, loadIndexes } from '../segment/indexes/indexFiles.ts'
import { SegmentIndexes } from '../segment/indexes/segmentIndexes.ts'
import { TransactionIndex } from '../segment/indexes/transactionIndex.ts'
import {
  loadTransactionsBelow,
  type SavedTransactions,
} from '../segment/indexes/transactionIndexFile.ts'
import { RecoveryScan } from '../segment/recoveryScan.ts'
import type { ActiveSegment } from '../segment/rollPolicy.ts'
import { runScan } from '../segment/runScan.ts'
import { Segment } from '../segment/segment.ts'
import { segmentEnd } from '../segment/segmentEnd.ts'
import {
  deletedSuffix,
  leaderEpochFileName,
  offsetsOfFiles,
  segmentFileName,
  segmentSuffixes,
} from '../segment/segmentFiles.ts'
import { hasSwaps, recoverSwaps } from '../segment/segmentSwap.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  readonly config: LogConfig
  readonly cache: IndexCache
  /** All records below this offset are durable. */
  readonly recoveryPoint: number
  /** The log was closed cleanly when it was last in use. */
  readonly wasClosed: boolean
  /** Base offsets of segments whose records are durable. */
  readonly syncedSegments?: ReadonlySet<number> | undefined
  /** Whether the checkpoints list the log: if not, its start may be above `logStartOffset`. */
  readonly isKnown: boolean
  /** All records below this offset were deleted, even if they still exist on the disk. */
  readonly logStartOffset: number
  readonly nowMs: number
}

export interface RecoveredLog {
  /** Ascending, at least one; the last one is active. */
  readonly segments: Segment[]
  readonly active: ActiveSegment
  readonly logStartOffset: number
  readonly nextOffset: number
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  /** Set if synced data is damaged: the log must accept no writes. */
  readonly damage: LogError | undefined
}

const walkedWholeBytes = 64 * 1024

/** A segment that was scanned. */
interface Walked {
  readonly baseOffset: number
  readonly path: string
  readonly scan: RecoveryScan
  readonly indexes: SegmentIndexes
  readonly savedEntries: IndexCounts
  readonly transactions: SavedTransactions
  readonly firstTimestampMs: number | undefined
}

export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  return await new LogRecovery(options).run()
}

class LogRecovery {
  readonly #options: RecoveryOptions
  #bases: number[] = []
  #recoveryPoint = 0
  #producers: ProducerState
  #epochs = new LeaderEpochs()
  /** Batches from here on are not in the producer state yet. */
  #replayFrom = 0
  /** Base offsets of the segments with a transaction index file. */
  #transactionIndexes: ReadonlySet<number> = new Set()
  /** Base offsets. */
  #syncedSegments: ReadonlySet<number>
  #damage: LogError | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
    this.#syncedSegments = options.syncedSegments ?? new Set()
    this.#producers = new ProducerState(options.config.producerIdExpirationMs)
  }

  async run(): Promise<RecoveredLog> {
    const names = await this.#list()
    await this.#findSegments(names)
    await this.#loadProducers(offsetsOfFiles(names, '.snapshot'))
    if (names.includes(leaderEpochFileName)) await this.#loadEpochs()
    this.#transactionIndexes = new Set(offsetsOfFiles(names, '.txnindex'))
    const last = await this.#walkSegments()
    this.#epochs.truncateFromEnd(last.scan.nextOffset)
    this.#checkStart(last)
    if (!this.#options.wasClosed) {
      await this.#options.disk.syncDirectory(this.#options.directory)
    }
    return await this.#assemble(last)
  }

  /** The names of the files, after interrupted segment swaps are completed. */
  async #list(): Promise<string[]> {
    const { disk, directory } = this.#options
    const names = await disk.list(directory)
    if (!hasSwaps(names)) return names
    // A swap gives their names to other files.
    this.#syncedSegments = new Set()
    this.#damage = await recoverSwaps(disk, directory)
    return await disk.list(directory)
  }

  /** Removes deleted segments and lists the remaining ones. */
  async #findSegments(names: readonly string[]): Promise<void> {
    const { disk, directory, logStartOffset, recoveryPoint } = this.#options
    for (const name of names) {
      if (name.endsWith(deletedSuffix)) await disk.remove(join(directory, name))
    }
    const bases = offsetsOfFiles(names, '.log')
    const first = Math.max(
      0,
      bases.findLastIndex((base) => base <= logStartOffset),
    )
    await this.#removeSegments(bases.splice(0, first))
    this.#bases = bases.length > 0 ? bases : [logStartOffset]
    // The segments below the first one were synced before they were deleted.
    this.#recoveryPoint = Math.max(recoveryPoint, this.#bases[0]!)
  }

  /** Loads the newest snapshot at or below the recovery point; removes later ones. */
  async #loadProducers(snapshots: readonly number[]): Promise<void> {
    const { disk, directory, config, nowMs } = this.#options
    this.#replayFrom = this.#bases[0]!
    for (const offset of snapshots.toReversed()) {
      const path = join(directory, segmentFileName(offset, '.snapshot'))
      if (offset > this.#recoveryPoint) {
        await disk.remove(path)
        continue
      }
      const bytes = await disk.readFile(path)
      const state = bytes && decodeProducerSnapshot(bytes, config.producerIdExpirationMs, nowMs)
      if (state === undefined) {
        this.#options.logger.warn({ path }, 'the producer snapshot is damaged and is ignored')
        continue
      }
      this.#producers = state
      this.#replayFrom = offset
      return
    }
  }

  async #loadEpochs(): Promise<void> {
    const { disk, directory, logger } = this.#options
    const path = join(directory, leaderEpochFileName)
    const bytes = await disk.readFile(path)
    if (bytes === undefined) return
    const epochs = LeaderEpochs.decode(bytes)
    if (epochs) this.#epochs = epochs
    else logger.warn({ path }, 'the leader epoch checkpoint is damaged and is ignored')
  }

  /** Scans the segments from the first one that has to be scanned; returns the active one. */
  async #walkSegments(): Promise<Walked> {
    const walkFrom = Math.min(this.#replayFrom, this.#recoveryPoint)
    const containing = this.#bases.findLastIndex((base) => base <= walkFrom)
    await this.#checkSealed(containing)
    let walked: Walked | undefined
    const first = Math.min(Math.max(0, containing), this.#bases.length - 1)
    for (let at = first; at < this.#bases.length; at++) {
      const nextBase = this.#bases[at + 1]
      walked = await this.#walkSegment(this.#bases[at]!, walkFrom, nextBase === undefined)
      this.#checkEnd(walked, nextBase)
      if (this.#damage || walked.scan.defect !== undefined) {
        await this.#leaveOut(at + 1)
        break
      }
      if (nextBase !== undefined) await this.#saveSealed(walked)
    }
    return walked!
  }

  /**
   * Checks that each of the first `count` segments ends where the next one begins, whether
   * compacted or not (decision 9). They were synced, so missing records were removed from outside.
   */
  async #checkSealed(count: number): Promise<void> {
    const { disk, directory } = this.#options
    for (let at = 0; at < count; at++) {
      const end = await segmentEnd(disk, directory, this.#bases[at]!)
      const nextBase = this.#bases[at + 1]!
      if (end === undefined || end >= nextBase) continue
      this.#damage ??= missingRecords(directory, end, nextBase)
      this.#bases.splice(at + 1)
      return
    }
  }

  async #walkSegment(baseOffset: number, walkFrom: number, isLast: boolean): Promise<Walked> {
    const { disk, directory } = this.#options
    const path = join(directory, segmentFileName(baseOffset, '.log'))
    const file = await disk.open(path, 'write')
    try {
      const { sizeBytes: fileBytes } = await file.stat()
      const indexes = await this.#indexesBelow(walkFrom, baseOffset, fileBytes)
      const position = indexes.rewind(walkFrom)
      const savedEntries = { offsets: indexes.offsets.count, times: indexes.times.count }
      const transactions = await this.#savedTransactions(baseOffset)
      const start = { position, fileBytes, nextOffset: baseOffset, verifyFrom: this.#recoveryPoint }
      let firstTimestampMs: number | undefined
      const scan = new RecoveryScan(start, (batch, at) => {
        if (at === 0) firstTimestampMs = batch.maxTimestamp
        this.#visit(batch, at, indexes, transactions)
      })
      await runScan(file, scan)
      // A killed process leaves unsynced writes and truncations in the page cache. The log relies
      // on them from now on, so they must survive a power failure.
      const isSynced =
        this.#syncedSegments.has(baseOffset) ||
        (this.#options.wasClosed && scan.nextOffset === this.#recoveryPoint)
      if (!isSynced && (scan.nextOffset > this.#recoveryPoint || isLast)) await file.sync()
      return { baseOffset, path, scan, indexes, savedEntries, transactions, firstTimestampMs }
    } finally {
      await file.close()
    }
  }

  /**
   * The saved index entries for batches below `offset`. Empty for a small segment: scanning it from
   * its start costs less than reading them.
   */
  async #indexesBelow(
    offset: number,
    baseOffset: number,
    fileBytes: number,
  ): Promise<SegmentIndexes> {
    const { disk, directory, config } = this.#options
    const intervalBytes = config.indexIntervalBytes
    if (baseOffset >= offset || fileBytes <= walkedWholeBytes) {
      return SegmentIndexes.empty(baseOffset, intervalBytes)
    }
    return (await loadIndexes(disk, directory, baseOffset, fileBytes, intervalBytes)).indexes
  }

  /** The saved transactions that ended below the replayed batches; the replay finds the others. */
  async #savedTransactions(baseOffset: number): Promise<SavedTransactions> {
    const { disk, directory } = this.#options
    const hasSaved = this.#transactionIndexes.has(baseOffset)
    if (hasSaved && baseOffset < this.#replayFrom) {
      return await loadTransactionsBelow(this.#replayFrom, disk, directory, baseOffset)
    }
    return { index: TransactionIndex.empty(), savedEntries: hasSaved ? 0 : undefined }
  }

  #visit(
    batch: RecordBatch,
    position: number,
    indexes: SegmentIndexes,
    transactions: SavedTransactions,
  ): void {
    indexes.observe(batch.lastOffset, batch.maxTimestamp, position, batch.sizeInBytes)
    if (batch.baseOffset < this.#replayFrom) return
    const completed = this.#producers.append(batch, this.#options.nowMs)
    if (completed && !completed.isCommit) transactions.index.append(completed)
    this.#epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)
  }

  /**
   * Distinguishes a torn tail from damage. All records below the recovery point were synced. With
   * flush=group so were those of every segment but the last, because a segment starts only after
   * that.
   */
  #checkEnd({ scan, path }: Walked, nextBase: number | undefined): void {
    if (this.#damage) return
    const { config, directory } = this.#options
    const recoveryPoint = this.#recoveryPoint
    const isSynced =
      nextBase !== undefined && (config.flush === 'group' || nextBase <= recoveryPoint)
    if (nextBase !== undefined && scan.nextOffset > nextBase) {
      scan.defect = `the segment ends with offset ${scan.nextOffset - 1}, but the next one begins at ${nextBase}`
      this.#damage = corruptLog(path, scan.position, scan.defect)
      return
    }
    if (scan.defect === undefined && isSynced && scan.nextOffset < nextBase!) {
      this.#damage = missingRecords(directory, scan.nextOffset, nextBase)
      return
    }
    const expected = nextBase ?? recoveryPoint
    if (scan.defect === undefined && !isSynced && scan.nextOffset < expected) {
      scan.defect = `the records from offset ${scan.nextOffset} to ${expected - 1} are missing`
    }
    if (scan.defect !== undefined && (isSynced || scan.nextOffset < recoveryPoint)) {
      this.#damage = corruptLog(path, scan.position, scan.defect)
    }
  }

  /**
   * Removes the segments from index `first` on, which follow a torn tail and were never
   * acknowledged.
   */
  async #leaveOut(first: number): Promise<void> {
    const leftOut = this.#bases.splice(first)
    if (!this.#damage) await this.#removeSegments(leftOut)
  }

  async #removeSegments(baseOffsets: readonly number[]): Promise<void> {
    const { disk, directory } = this.#options
    for (const baseOffset of baseOffsets) {
      for (const suffix of segmentSuffixes) {
        await disk.remove(join(directory, segmentFileName(baseOffset, suffix)))
      }
    }
    if (baseOffsets.length > 0) await disk.syncDirectory(directory)
  }

  /**
   * Deleted records had been visible to consumers, and so had the log start offset: neither can be
   * missing.
   */
  #checkStart({ scan, path }: Walked): void {
    const { directory, isKnown, logStartOffset } = this.#options
    if (this.#damage) return
    const firstBase = this.#bases[0]!
    if (isKnown && firstBase > logStartOffset) {
      this.#damage = missingRecords(directory, logStartOffset, firstBase)
      return
    }
    if (scan.nextOffset >= logStartOffset) return
    const missing = `the records from offset ${scan.nextOffset} to ${logStartOffset - 1} are missing`
    this.#damage = corruptLog(path, scan.position, missing)
  }

  async #saveSealed(walked: Walked): Promise<void> {
    const segment = this.#segment(walked)
    await segment.saveIndexes()
    await segment.close()
  }

  async #assemble(last: Walked): Promise<RecoveredLog> {
    const { scan } = last
    if (!this.#damage && scan.defect !== undefined) await this.#cutTail(last)
    const active = this.#segment(last)
    const segments: Segment[] = []
    for (const [at, baseOffset] of this.#bases.slice(0, -1).entries()) {
      segments.push(await this.#sealedSegment(baseOffset, this.#bases[at + 1]!))
    }
    segments.push(active)
    const { logStartOffset } = this.#options
    const firstOffset = Math.max(logStartOffset, segments[0]!.baseOffset)
    this.#epochs.truncateFromStart(firstOffset)
    return {
      segments,
      logStartOffset: Math.min(firstOffset, scan.nextOffset),
      active: {
        baseOffset: last.baseOffset,
        sizeBytes: scan.position,
        createdMs: this.#options.nowMs,
        firstTimestampMs: await firstTimestamp(last, active),
        indexesFull: false,
      },
      nextOffset: scan.nextOffset,
      producers: this.#producers,
      epochs: this.#epochs,
      damage: this.#damage,
    }
  }

  async #cutTail({ path, scan }: Walked): Promise<void> {
    const file: DiskFile = await this.#options.disk.open(path, 'write')
    try {
      const { sizeBytes } = await file.stat()
      this.#options.logger.warn(
        { path, position: scan.position, cutBytes: sizeBytes - scan.position, defect: scan.defect },
        'the last write to the segment is incomplete: it was never acknowledged and is truncated',
      )
      await file.truncate(scan.position)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  #segment({ baseOffset, scan, indexes, savedEntries, transactions }: Walked): Segment {
    const { disk, directory, cache, config } = this.#options
    return new Segment({
      disk,
      directory,
      baseOffset,
      sizeBytes: scan.position,
      nextOffset: scan.nextOffset,
      indexes,
      savedEntries,
      transactions,
      cache,
      indexIntervalBytes: config.indexIntervalBytes,
    })
  }

  async #sealedSegment(baseOffset: number, nextOffset: number): Promise<Segment> {
    const { disk, directory, cache, config } = this.#options
    const path = join(directory, segmentFileName(baseOffset, '.log'))
    const stat = await disk.stat(path)
    return new Segment({
      disk,
      directory,
      baseOffset,
      sizeBytes: stat?.sizeBytes ?? 0,
      nextOffset,
      indexes: undefined,
      savedEntries: { offsets: 0, times: 0 },
      cache,
      indexIntervalBytes: config.indexIntervalBytes,
    })
  }
}

async function firstTimestamp(walked: Walked, segment: Segment): Promise<number | undefined> {
  if (walked.firstTimestampMs !== undefined || walked.scan.position === 0) {
    return walked.firstTimestampMs
  }
  return await segment.firstTimestamp()
}
