// The log of one partition on this broker: stores batches, reads them, and survives crashes. It
// stores and never decides: the Partition (broker/replication) decides who appends and where the
// high watermark is. Composes its parts: LogAppender appends, LogFiles writes, LogReader reads,
// LogStart deletes, LogHousekeeping saves what recovery needs, truncation.ts removes the end,
// recoverLog recovers.
// Invariants: with flush=group no reader sees an offset or a byte that a crash could remove; after
// a failed write nothing more is written.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { AppendResult, LeaderAppend } from './append/appendResult.ts'
import { LogAppender } from './append/logAppender.ts'
import { LogTail } from './append/logTail.ts'
import { CleanableLog } from './cleaner/cleanableLog.ts'
import { makePartitionDirectory } from './directory/partitionDirectory.ts'
import type { LogConfig } from './logConfig.ts'
import { isPassing, LogError } from './logError.ts'
import { LogFiles } from './logFiles.ts'
import { LogHealth } from './logHealth.ts'
import type { LogHousekeeping } from './maintenance/logHousekeeping.ts'
import type { PartitionLogOptions } from './partitionLogOptions.ts'
import type { ProducerEntry } from './producers/producerState.ts'
import type {
  TransactionalProducer,
  VerificationGuard,
} from './producers/transactionVerification.ts'
import { LogReader, type LogView } from './read/logReader.ts'
import { Watermarks } from './read/watermarks.ts'
import type { ReadBound, ReadOptions, ReadResult, TimestampedOffset } from './readResult.ts'
import { type RecoveredLog, type RecoveryOptions, recoverLog } from './recovery/logRecovery.ts'
import type { RestingLog, RestingState } from './recovery/restingLog.ts'
import { restingState, resumeLog } from './recovery/resumedLog.ts'
import type { DeleteRecordsResult } from './removal/deleteRecordsResult.ts'
import { type LogOfStart, LogStart } from './removal/logStart.ts'
import { type TruncatedLog, truncateFullyAndStartAt, truncateTo } from './removal/truncation.ts'
import type { LogSegments } from './segment/logSegments.ts'

export class PartitionLog {
  readonly #options: PartitionLogOptions
  readonly #watermarks: Watermarks
  readonly #files: LogFiles
  readonly #appender: LogAppender
  readonly #start: LogStart
  /** Created lazily: with thousands of partitions, most logs are idle. */
  #madeReader: LogReader | undefined
  #madeHealth: LogHealth | undefined
  #regaining: Promise<void> | undefined
  /** The truncation in progress. A reader that finds its file closed awaits it and retries. */
  #truncating: Promise<void> | undefined
  #isClosed = false

  private constructor(options: PartitionLogOptions) {
    this.#options = options
    this.#watermarks = new Watermarks(options.highWatermark ?? 0)
    this.#files = new LogFiles(options, {
      watermarks: this.#watermarks,
      tail: () => this.#tail,
      writeFailed: (cause) => this.#health.writeFailed(cause),
    })
    this.#appender = this.#newAppender(options)
    this.#start = new LogStart(options)
  }

  /** Opens the log, and recovers it unless it was closed cleanly. Damage found is in `offline`. */
  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    const log = new PartitionLog(options)
    const isRecovered = options.rarePoints?.isForced('resting log recovered')
    if (options.resting && !isRecovered && log.#resume(options.resting)) return log
    await makePartitionDirectory(options.disk, options.directory)
    await log.#recover(options)
    return log
  }

  get directory(): string {
    return this.#options.directory
  }

  /** The first offset that can be read; may lie inside the first segment. */
  get logStartOffset(): number {
    return this.#start.offset
  }

  /** The offset to save in log-start-offset-checkpoint. */
  get savedStartOffset(): number {
    return this.#start.savedOffset
  }

  /** The offset after the last written record: followers read up to it. */
  get logEndOffset(): number {
    return this.#segments.endOffset
  }

  /** The offset after the last record that is durable by the flush policy. */
  get durableEndOffset(): number {
    return this.#watermarks.stableEnd
  }

  /** The offset that the next record gets; above `logEndOffset` while appends are in flight. */
  get nextOffset(): number {
    return this.#tail.nextOffset
  }

  /** Consumers read below it. Moves only through `advanceHighWatermark`, and in a truncation. */
  get highWatermark(): number {
    return this.#watermarks.highWatermark
  }

  /** `read_committed` consumers read below it: all transactions that began there have ended. */
  get lastStableOffset(): number {
    return Math.max(this.#watermarks.lastStableOffset, this.logStartOffset)
  }

  /** Bytes of all segments. */
  get size(): number {
    return this.#segments.sizeBytes
  }

  get segmentCount(): number {
    return this.#segments.count
  }

  /** Bytes accepted and not yet stable. */
  get pendingBytes(): number {
    return this.#appender.pendingBytes
  }

  /** Bytes of appends that are held because too many are pending. */
  get heldBytes(): number {
    return this.#appender.heldBytes
  }

  /** All records below this offset are durable, with their index entries and producer state. */
  get recoveryPoint(): number {
    return this.#housekeeping.recoveryPoint
  }

  get config(): LogConfig {
    return this.#files.config
  }

  /** The error of a log that accepts no writes; undefined while it does. */
  get offline(): LogError | undefined {
    return this.#madeHealth?.failure
  }

  /** The log as the cleaner sees it now. */
  get cleanable(): CleanableLog {
    return new CleanableLog({
      ...this.#files.place,
      bounds: this.#look(),
      segments: this.#segments,
      producers: this.#tail.producers,
      housekeeping: this.#housekeeping,
      durability: this.#files.durability,
      onFailure: (cause) => this.#health.report(cause),
    })
  }

  /** The largest epoch up to `epoch` that has records here, and its end offset (KIP-101). */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } | undefined {
    return this.#tail.epochs.endOffsetFor(epoch, this.logEndOffset)
  }

  /**
   * Appends whole batches and assigns their offsets, in the order of the calls. `batches` is
   * changed in place (offsets, leader epoch) and belongs to the log until this resolves: when the
   * batches are durable by the flush policy, whether or not they are committed. Invalid batches,
   * and failures of the disk, are an error code in the result.
   */
  appendAsLeader(batches: Buffer, options: LeaderAppend): Promise<AppendResult> {
    return this.#appender.appendAsLeader(batches, options)
  }

  /** Appends batches of the leader, which keep their offsets; otherwise as `appendAsLeader`. */
  appendAsFollower(batches: Buffer): Promise<AppendResult> {
    return this.#appender.appendAsFollower(batches)
  }

  /** Refuses leader appends of an earlier epoch from now on, including those that are held. */
  fence(leaderEpoch: number): void {
    this.#appender.fence(leaderEpoch)
  }

  /** Reads whole batches, from the one with `offset` on. No bytes at the bound of the read. */
  read(offset: number, maxBytes: number, options: ReadOptions = {}): Promise<ReadResult> {
    return this.#reader.read(offset, maxBytes, options)
  }

  /** The first record at or after the timestamp, below `upTo`; undefined without one. */
  offsetForTimestamp(
    timestampMs: number,
    upTo: ReadBound = 'highWatermark',
  ): Promise<TimestampedOffset | undefined> {
    return this.#reader.offsetForTimestamp(timestampMs, upTo)
  }

  /** The first record with the largest timestamp; undefined if no record has a timestamp. */
  offsetOfMaxTimestamp(upTo: ReadBound = 'highWatermark'): Promise<TimestampedOffset | undefined> {
    return this.#reader.offsetOfMaxTimestamp(upTo)
  }

  /**
   * Returns a guard to take before the transaction coordinator is asked whether the transaction
   * includes this partition, and to pass to `appendAsLeader` afterwards. Undefined when the
   * coordinator need not be asked.
   */
  verificationFor(producer: TransactionalProducer): VerificationGuard | undefined {
    return this.#tail.verificationFor(producer, this.#nowMs)
  }

  /** The state of every producer, for DescribeProducers. Read-only. */
  producers(): IterableIterator<ProducerEntry> {
    return this.#tail.producers.entries()
  }

  /**
   * Calls `listener` when the durable end has moved, before the appends are answered. Returns a
   * function that removes the listener.
   */
  onLogEnd(listener: () => void): () => void {
    return this.#watermarks.endMoved.add(listener)
  }

  /**
   * Calls `listener` when the high watermark has moved. The last stable offset never moves alone: a
   * marker counts once it is below the watermark. Returns a function that removes the listener.
   */
  onHighWatermark(listener: () => void): () => void {
    return this.#watermarks.highWatermarkMoved.add(listener)
  }

  /** Not below the current mark, nor above `durableEndOffset`. */
  advanceHighWatermark(offset: number): void {
    this.#watermarks.advanceHighWatermark(offset)
  }

  /** Starts a new segment, unless the active one is empty. */
  async roll(): Promise<void> {
    const roll = this.#tail.roll(this.#nowMs)
    if (roll && !(await this.#appender.barrier({ roll }))) throw this.#unusable()
  }

  /**
   * Deletes the records below `offset`, or below the high watermark for -1. Durable when this
   * resolves; disk space is freed by whole segments.
   */
  async deleteRecordsBefore(offset: number): Promise<DeleteRecordsResult> {
    return await this.#start.deleteBefore(this.#logOfStart(), offset)
  }

  /** Deletes the records below the start of the leader's log, but none above the high watermark. */
  async advanceLogStartOffset(offset: number): Promise<void> {
    await this.#start.advanceTo(this.#logOfStart(), Math.min(offset, this.highWatermark))
  }

  /** Deletes the segments that retention.ms and retention.bytes no longer keep. */
  async applyRetention(): Promise<void> {
    const { isPaused } = this.#appender
    if (isPaused || this.#isClosed || (this.offline && !this.#health.isFull)) return
    await this.#start.applyRetention(this.#logOfStart(), this.#nowMs)
  }

  /** Takes effect with the next append. `flush` cannot be changed. */
  updateConfig(config: LogConfig): void {
    this.#files.config = { ...config, flush: this.config.flush }
    this.#tail.updateConfig(this.config)
  }

  /** Resolves when everything appended so far is durable, whatever the flush policy. */
  async flush(): Promise<void> {
    const { active } = this.#segments
    if (!(await this.#appender.barrier())) throw this.#unusable()
    if (this.config.flush === 'os') await this.#housekeeping.sync(this.#segments, active)
    if (this.offline) throw this.offline
  }

  /**
   * Advances the recovery point to the current end: syncs, saves indexes and producer state. The
   * caller makes the recovery point itself durable. No effect when the log is offline.
   */
  async checkpoint(): Promise<void> {
    if (this.#appender.isPaused) return
    const offset = this.#tail.nextOffset
    if (this.offline || offset === this.recoveryPoint) return
    const { active } = this.#segments
    const snapshot = this.#tail.snapshot(this.#nowMs)
    if (!(await this.#appender.barrier())) return
    await this.#housekeeping.checkpoint(this.#segments, active, offset, snapshot)
  }

  /** Removes the records from `offset` on, with whole batches. Appends are held meanwhile. */
  async truncateTo(offset: number): Promise<void> {
    await this.#truncate((log) => truncateTo(log, offset))
  }

  /** Removes all records; the empty log starts at `offset`. Appends are held meanwhile. */
  async truncateFullyAndStartAt(offset: number): Promise<void> {
    await this.#truncate((log) => truncateFullyAndStartAt(log, offset))
  }

  /** Cuts off a partial write and accepts writes again, if the disk has space. Reads continue. */
  async regainSpace(): Promise<void> {
    if (!this.#madeHealth?.isFull || this.#isClosed) return
    this.#regaining ??= this.#regain().finally(() => {
      this.#regaining = undefined
    })
    await this.#regaining
  }

  /** Makes everything appended durable, then closes all files. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.checkpoint()
    await this.#shut()
  }

  /** The state to save for the next start; undefined unless everything is saved. */
  restingState(): RestingState | undefined {
    const isSaved = !this.offline && this.recoveryPoint === this.#tail.nextOffset
    return isSaved && !this.#appender.isPaused
      ? restingState(this.#segments, this.#tail, this.logStartOffset)
      : undefined
  }

  /** The data directory has failed: the log is neither written nor read any more. */
  async abandon(failure: LogError): Promise<void> {
    this.#health.abandoned(failure)
    await this.close()
  }

  /** Closes the log without saving anything: its directory will be removed. */
  async retire(): Promise<void> {
    this.#segments.discard()
    await this.#shut()
  }

  get #tail(): LogTail {
    return this.#appender.tail
  }

  get #segments(): LogSegments {
    return this.#files.segments
  }

  get #housekeeping(): LogHousekeeping {
    return this.#files.housekeeping
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs()
  }

  /** Created only to log. */
  get #logger(): Logger {
    return this.#options.logger.child({ log: this.directory })
  }

  get #reader(): LogReader {
    this.#madeReader ??= new LogReader({
      look: () => this.#look(),
      cutting: () => this.#truncating,
      failed: (cause) => this.#health.readFailed(cause, this.directory),
    })
    return this.#madeReader
  }

  /** Created at the first failure. */
  get #health(): LogHealth {
    this.#madeHealth ??= new LogHealth({
      logger: () => this.#logger,
      path: () => this.#segments.active.path,
      onFailure: this.#options.onFailure,
      stop: (isFinal) =>
        void Promise.all([this.#appender.stopWriting(), isFinal && this.#housekeeping.stop()]),
    })
    return this.#madeHealth
  }

  #look(): LogView {
    this.#madeHealth?.mustBeReadable()
    return {
      segments: this.#segments,
      logStartOffset: this.logStartOffset,
      logEndOffset: this.logEndOffset,
      highWatermark: this.#watermarks.highWatermark,
      lastStableOffset: this.lastStableOffset,
      stableEnd: this.#watermarks.stableEnd,
      stablePosition: this.#watermarks.stablePosition,
      nowMs: this.#options.clock.monotonicMs(),
      epochs: this.#tail.epochs,
    }
  }

  #logOfStart(): LogOfStart {
    return {
      segments: this.#segments,
      highWatermark: this.#watermarks.highWatermark,
      config: this.config,
      epochs: this.#tail.epochs,
      logger: () => this.#logger,
      flush: () => this.flush(),
      roll: () => this.roll(),
      saveEpochs: async (leaderEpochs) => {
        if (!(await this.#appender.barrier({ leaderEpochs }))) throw this.#unusable()
      },
      removeBelow: async (offset) => {
        const { fileDeleteDelayMs } = this.config
        await this.#housekeeping.removeBelow(this.#segments, offset, fileDeleteDelayMs)
        if (this.offline) throw this.offline
      },
      space: this.#options.space,
      regainSpace: () => this.regainSpace(),
    }
  }

  #unusable(): LogError {
    return this.offline ?? new LogError('LOG_CLOSED', `${this.directory} is closed`)
  }

  #recoveryOptions(wasClosed: boolean): RecoveryOptions {
    const { recoveryPoint, logStartOffset } = this
    const known = { recoveryPoint, logStartOffset, isKnown: this.#start.isKnown, wasClosed }
    return { ...this.#files.place, ...known, nowMs: this.#nowMs, logger: this.#options.logger }
  }

  /** Opens the log from its saved state; false if recovery has to read its files. */
  #resume(resting: RestingLog): boolean {
    const resumed = resumeLog(this.#recoveryOptions(true), resting)
    if (resumed) this.#adopt(resumed)
    return resumed !== undefined
  }

  async #recover(options: Partial<PartitionLogOptions> = {}): Promise<void> {
    const { wasClosed = false, syncedSegments } = options
    const recovered = await recoverLog({ ...this.#recoveryOptions(wasClosed), syncedSegments })
    this.#adopt(recovered)
    if (recovered.damage) this.#health.damaged(recovered.damage)
  }

  #adopt(recovered: RecoveredLog): void {
    const { active, nextOffset, producers, epochs } = recovered
    this.#start.recovered(recovered.logStartOffset, recovered.damage !== undefined)
    const { random, rarePoints } = this.#options
    const chances = { random, rarePoints }
    this.#appender.begin(new LogTail(this.config, nextOffset, active, producers, epochs, chances))
    this.#files.adopt(recovered, this.logStartOffset)
  }

  #newAppender({ clock, scheduler, rarePoints, space }: PartitionLogOptions): LogAppender {
    const files = this.#files
    const { maxPendingBytes } = files.config
    return new LogAppender({
      ...{ clock, scheduler, rarePoints, space, maxPendingBytes },
      log: {
        logStartOffset: () => this.logStartOffset,
        durableEndOffset: () => this.durableEndOffset,
        offline: () => this.offline,
        unusable: () => this.#unusable(),
        startSegment: (roll) => files.startSegment(roll),
        saveLeaderEpochs: (content) => files.saveLeaderEpochs(content),
        write: (chunks, aborted) => files.write(chunks, aborted),
        failed: (cause) => this.#health.writeFailed(cause),
      },
    })
  }

  async #regain(): Promise<void> {
    const outgrown = this.#segments
    try {
      await this.#appender.stopWriting()
      await this.#files.cutToStable()
      await this.#recover()
    } catch (error) {
      if (!isPassing(error)) this.#health.failed(error)
      return
    }
    this.#health.regained()
    await outgrown.close()
    this.#logger.info({ offset: this.logEndOffset }, 'the log takes writes again')
  }

  async #truncate(truncation: (log: TruncatedLog) => Promise<boolean>): Promise<void> {
    const truncating = this.#exclusively(async () => {
      if (!(await truncation(this.#truncated()))) return
      await this.#recover()
      this.#logger.info({ offset: this.logEndOffset }, 'the log was truncated')
    })
    this.#truncating = truncating.catch(() => {})
    try {
      await truncating
    } finally {
      this.#truncating = undefined
    }
  }

  #truncated(): TruncatedLog {
    const { disk, directory, saveRecoveryPoint } = this.#options
    return {
      disk,
      directory,
      segments: this.#segments,
      start: this.#start,
      epochs: this.#tail.epochs,
      durability: this.#files.durability,
      lowerRecoveryPoint: async (offset) => {
        if (offset >= this.recoveryPoint) return
        this.#housekeeping.recoveryPoint = offset
        await saveRecoveryPoint?.()
      },
    }
  }

  /** Runs `task` when everything accepted is stable, while appends are held. */
  async #exclusively(task: () => Promise<void>): Promise<void> {
    this.#appender.pause()
    try {
      if (!(await this.#appender.barrier())) throw this.#unusable()
      await this.#housekeeping.idle
      if (this.offline) throw this.offline
      // A log that was truncated in part can neither be read nor written.
      await task().catch((error: unknown) => {
        this.#health.failed(error)
        throw error
      })
    } finally {
      this.#appender.resume()
    }
  }

  /** The same as when a data directory fails under a reader while its broker closes the log. */
  async #closeWhileReading(): Promise<void> {
    const reading = this.read(this.logStartOffset, this.size).catch(() => undefined)
    await Promise.all([reading, this.#files.close()])
  }

  async #shut(): Promise<void> {
    this.#isClosed = true
    this.#appender.refuse()
    await this.#regaining
    await this.#appender.stop()
    const isTwice = this.#options.rarePoints?.isForced('log closed twice')
    await Promise.all([isTwice && this.#closeWhileReading(), this.#files.close()])
  }
}
