// The log of one partition. Composes its parts: LogTail validates and assigns offsets, LogWriter writes,
// Segment reads, recoverLog recovers. Invariants: with flush=group no reader sees an offset or a byte
// that a crash could remove; after a failed write nothing more is written.

import { basename, join } from 'node:path'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { type AppendOptions, type AppendResult, appended, notAppended } from './appendResult.ts'
import { CleanableLog } from './cleaner/cleanableLog.ts'
import type { DeleteRecordsResult } from './deleteRecordsResult.ts'
import type { DiskSpace } from './directory/diskSpace.ts'
import { makePartitionDirectory } from './directory/partitionDirectory.ts'
import { type Durability, durabilityOf } from './durability.ts'
import { HeldAppends } from './heldAppends.ts'
import { defaultLogConfig, type LogConfig } from './logConfig.ts'
import { isPassing, LogError } from './logError.ts'
import { LogHealth } from './logHealth.ts'
import { LogHousekeeping } from './logHousekeeping.ts'
import { LogReader, type LogView } from './logReader.ts'
import { type LogOfStart, LogStart } from './logStart.ts'
import { LogTail, type Roll } from './logTail.ts'
import { LogWriter, nothingToWrite } from './logWriter.ts'
import type { PartitionLogOptions } from './partitionLogOptions.ts'
import type { ProducerEntry } from './producers/producerState.ts'
import type {
  TransactionalProducer,
  VerificationGuard,
} from './producers/transactionVerification.ts'
import type { ReadBound, ReadOptions, ReadResult, TimestampedOffset } from './readResult.ts'
import { type RecoveredLog, type RecoveryOptions, recoverLog } from './recovery/logRecovery.ts'
import type { RestingLog, RestingState } from './recovery/restingLog.ts'
import { restingState, resumeLog } from './recovery/resumedLog.ts'
import { type Refusal, refuse } from './refusal.ts'
import { IndexCache } from './segment/indexCache.ts'
import { LogSegments } from './segment/logSegments.ts'
import { RemovedSegments } from './segment/removedSegments.ts'
import { type LogPlace, Segment } from './segment/segment.ts'
import { leaderEpochFileName } from './segment/segmentFiles.ts'
import type { AbortedTransactionEntry } from './segment/transactionIndex.ts'
import { Watermarks } from './watermarks.ts'

export class PartitionLog {
  readonly directory: string
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #parentLogger: Logger
  readonly #cache: IndexCache
  readonly #space: DiskSpace | undefined
  readonly #random: Random | undefined
  readonly #saveRecoveryPoint: () => Promise<void>
  readonly #watermarks = new Watermarks()
  readonly #held = new HeldAppends()
  readonly #durability: Durability
  #housekeeping: LogHousekeeping
  readonly #removed: RemovedSegments
  readonly #start: LogStart
  #config: LogConfig
  #segments!: LogSegments
  #tail!: LogTail
  /** Created on first use: with thousands of partitions, most logs are idle. */
  #madeReader: LogReader | undefined
  #madeWriter: LogWriter | undefined
  #madeHealth: LogHealth | undefined
  readonly #noticed: PartitionLogOptions['noticed']
  #regaining: Promise<void> | undefined
  /** Until the cut under way has ended: readers that come upon closed files wait for it. */
  #cutting: Promise<void> | undefined
  #isHeld = false
  #isClosed = false

  private constructor(options: PartitionLogOptions) {
    this.directory = options.directory
    this.#disk = options.disk
    this.#clock = options.clock
    this.#parentLogger = options.logger
    this.#config = options.config ?? defaultLogConfig
    this.#cache = options.indexCache ?? new IndexCache()
    this.#removed = new RemovedSegments(options)
    this.#housekeeping = this.#newHousekeeping(options.recoveryPoint ?? 0)
    const { flush } = this.#config
    this.#durability = durabilityOf(flush, basename(this.directory), options, (cause) =>
      this.#health.writeFailed(cause),
    )
    this.#start = new LogStart(options)
    this.#space = options.space
    this.#random = options.random
    this.#noticed = options.noticed
    this.#saveRecoveryPoint = options.saveRecoveryPoint ?? (() => Promise.resolve())
  }

  /** Opens the log, bringing it back first when it was not closed. Damage is in `offline`. */
  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    const log = new PartitionLog(options)
    if (options.resting && log.#resume(options.resting)) return log
    await makePartitionDirectory(options.disk, options.directory)
    await log.#recover(options)
    return log
  }

  /** The first offset that can be read; it may lie inside the first segment. */
  get logStartOffset(): number {
    return this.#start.offset
  }

  /** What log-start-offset-checkpoint is to say of the log. */
  get savedStartOffset(): number {
    return this.#start.savedOffset
  }

  /** The offset after the last written record: what a follower may read up to. */
  get logEndOffset(): number {
    return this.#segments.endOffset
  }

  /** Consumers read below this. It follows the durable end until `setHighWatermark` is called. */
  get highWatermark(): number {
    return this.#watermarks.highWatermark
  }

  /** `read_committed` consumers read below this: every transaction there has ended for good. */
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
    return this.#madeWriter?.pendingBytes ?? 0
  }

  /** Everything below is on the disk for certain, with indexes and producer state. */
  get recoveryPoint(): number {
    return this.#housekeeping.recoveryPoint
  }

  /** How the log is kept now. */
  get config(): LogConfig {
    return this.#config
  }

  /** Why the log takes no writes; undefined when it does. */
  get offline(): LogError | undefined {
    return this.#madeHealth?.failure
  }

  /** The log as the cleaner sees it now. */
  get cleanable(): CleanableLog {
    return new CleanableLog({
      ...this.#place(),
      bounds: this.#look(),
      segments: this.#segments,
      producers: this.#tail.producers,
      housekeeping: this.#housekeeping,
      durability: this.#durability,
      noticed: (cause) => this.#health.noticed(cause),
    })
  }

  /** Epochs and where they end, for replicas (KIP-101). Not to be changed. */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } | undefined {
    return this.#tail.epochs.endOffsetFor(epoch, this.logEndOffset)
  }

  /**
   * Appends whole batches, in the order of the calls. `batches` is changed in place (offsets, leader
   * epoch) and must be left alone until this resolves: when it is synced with its group (`group`) or
   * written (`os`). What is wrong with the batches or with the disk is an error code in the result.
   */
  append(batches: Buffer, options: AppendOptions): Promise<AppendResult> {
    return this.#mustWait ? this.#held.hold(batches, options) : this.#admit(batches, options)
  }

  /** Whole batches from the one with `offset` on. At the end of what may be read: no bytes. */
  read(offset: number, maxBytes: number, options: ReadOptions = {}): Promise<ReadResult> {
    return this.#reader.read(offset, maxBytes, options)
  }

  /** The first record at or after the timestamp that may be read; undefined when there is none. */
  offsetForTimestamp(
    timestampMs: number,
    upTo: ReadBound = 'highWatermark',
  ): Promise<TimestampedOffset | undefined> {
    return this.#reader.offsetForTimestamp(timestampMs, upTo)
  }

  /** The first record with the largest timestamp of all; undefined when no record has one. */
  offsetOfMaxTimestamp(upTo: ReadBound = 'highWatermark'): Promise<TimestampedOffset | undefined> {
    return this.#reader.offsetOfMaxTimestamp(upTo)
  }

  /**
   * Taken before the transaction coordinator is asked whether the producer's transaction includes
   * this partition, and handed to `append` after. Undefined when it need not be asked.
   */
  verificationFor(producer: TransactionalProducer): VerificationGuard | undefined {
    return this.#tail.verificationFor(producer, this.#clock.nowMs())
  }

  /** What is known of every producer, for DescribeProducers. Not to be changed. */
  producers(): IterableIterator<ProducerEntry> {
    return this.#tail.producers.entries()
  }

  /**
   * Calls `listener` whenever the high watermark has moved. The last stable offset never moves alone:
   * a marker counts once it is below the watermark. Returns what takes the listener away again.
   */
  onAppend(listener: () => void): () => void {
    return this.#watermarks.onAdvance(listener)
  }

  /** Replication decides from now on what consumers may read; the mark never goes back. */
  setHighWatermark(offset: number): void {
    this.#watermarks.setHighWatermark(Math.min(offset, this.logEndOffset))
  }

  /** Goes on in a new segment, unless the active one is empty. */
  async roll(): Promise<void> {
    const roll = this.#tail.roll(this.#clock.nowMs())
    if (roll && !(await this.#writer.barrier({ roll }))) throw this.#unusable()
  }

  /**
   * Deletes the records below `offset`, or below the high watermark when it is -1. Durable when this
   * resolves, though the disk space comes back only with whole segments.
   */
  async deleteRecordsBefore(offset: number): Promise<DeleteRecordsResult> {
    return await this.#start.deleteBefore(this.#logOfStart(), offset)
  }

  /** Deletes the segments whose time is over by retention.ms and retention.bytes. */
  async applyRetention(): Promise<void> {
    if (this.#isHeld || this.#isClosed || (this.offline && !this.#health.isFull)) return
    await this.#start.applyRetention(this.#logOfStart(), this.#clock.nowMs())
  }

  /** What the topic has set has changed: counts from the next append on. `flush` stays as it is. */
  updateConfig(config: LogConfig): void {
    this.#config = { ...config, flush: this.#config.flush }
    this.#tail.updateConfig(this.#config)
  }

  /** Resolves when everything appended so far is on the disk, whatever the flush policy. */
  async flush(): Promise<void> {
    const { active } = this.#segments
    if (!(await this.#writer.barrier())) throw this.#unusable()
    if (this.#config.flush === 'os') await this.#housekeeping.sync(this.#segments, active)
    if (this.offline) throw this.offline
  }

  /**
   * Moves the recovery point up to what is appended now: syncs, saves indexes and producer state.
   * The caller makes the recovery point itself durable. Does nothing when the log is offline.
   */
  async checkpoint(): Promise<void> {
    if (this.#isHeld) return
    const offset = this.#tail.nextOffset
    if (this.offline || offset === this.recoveryPoint) return
    const { active } = this.#segments
    const snapshot = this.#tail.snapshot(this.#clock.nowMs())
    if (!(await this.#writer.barrier())) return
    await this.#housekeeping.checkpoint(this.#segments, active, offset, snapshot)
  }

  /**
   * Cuts the log so that it ends at `offset`, or at the start of the batch that `offset` is inside
   * of. Appends that come meanwhile wait.
   */
  async truncateTo(offset: number): Promise<void> {
    const truncating = this.#exclusively(async () => {
      if (offset >= this.logEndOffset) return
      const end = await this.#segments.batchStart(Math.max(offset, this.logStartOffset))
      await this.#start.lowerTo(end)
      if (end < this.recoveryPoint) {
        this.#housekeeping.recoveryPoint = end
        await this.#saveRecoveryPoint()
      }
      await this.#segments.cut(end, this.#durability.beforeCut)
      await this.#cutEpochs(end)
      await this.#recover()
      this.#logger.info({ offset: this.logEndOffset }, 'the log was truncated')
    })
    this.#cutting = truncating.catch(() => {})
    try {
      await truncating
    } finally {
      this.#cutting = undefined
    }
  }

  /**
   * After there was no room: cuts off what was written in part, and takes writes again. Readers notice
   * nothing. When there is still no room, nothing changes.
   */
  async regainSpace(): Promise<void> {
    if (!this.#madeHealth?.isFull || this.#isClosed) return
    this.#regaining ??= this.#regain().finally(() => {
      this.#regaining = undefined
    })
    await this.#regaining
  }

  /** Lets everything appended become durable, then lets go of all files. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.checkpoint()
    await this.#shut()
  }

  /** What a later start has to know; undefined unless everything is saved and nothing on its way. */
  restingState(): RestingState | undefined {
    const isSaved = !this.offline && this.recoveryPoint === this.#tail.nextOffset
    return isSaved && !this.#isHeld
      ? restingState(this.#segments, this.#tail, this.logStartOffset)
      : undefined
  }

  /** The data directory has failed: nothing is written or read any more. */
  async abandon(failure: LogError): Promise<void> {
    this.#health.abandoned(failure)
    await this.close()
  }

  /** Closes the log without saving anything: its directory is going to be removed. */
  async retire(): Promise<void> {
    this.#segments.discard()
    await this.#shut()
  }

  /** Created when there is something to log. */
  get #logger(): Logger {
    return this.#parentLogger.child({ log: this.directory })
  }

  get #reader(): LogReader {
    this.#madeReader ??= new LogReader({
      look: () => this.#look(),
      cutting: () => this.#cutting,
      failed: (cause) => this.#health.readFailed(cause, this.directory),
    })
    return this.#madeReader
  }

  /** Made when something is wrong. */
  get #health(): LogHealth {
    this.#madeHealth ??= new LogHealth({
      logger: () => this.#logger,
      path: () => this.#segments.active.path,
      noticed: this.#noticed,
      stop: (forGood) =>
        void Promise.all([this.#writer.stop(), forGood && this.#housekeeping.stop()]),
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
      nowMs: this.#clock.monotonicMs(),
      epochs: this.#tail.epochs,
    }
  }

  #logOfStart(): LogOfStart {
    return {
      segments: this.#segments,
      highWatermark: this.#watermarks.highWatermark,
      config: this.#config,
      epochs: this.#tail.epochs,
      logger: () => this.#logger,
      flush: () => this.flush(),
      roll: () => this.roll(),
      saveEpochs: async (leaderEpochs) => {
        if (!(await this.#writer.barrier({ leaderEpochs }))) throw this.#unusable()
      },
      removeBelow: async (offset) => {
        const { fileDeleteDelayMs } = this.#config
        await this.#housekeeping.removeBelow(this.#segments, offset, fileDeleteDelayMs)
        if (this.offline) throw this.offline
      },
      space: this.#space,
      regainSpace: () => this.regainSpace(),
    }
  }

  get #mustWait(): boolean {
    return this.#isHeld || !this.#held.isEmpty || this.#writer.isFull
  }

  #admit(bytes: Buffer, options: AppendOptions): Promise<AppendResult> {
    if (this.offline || this.#isClosed) return Promise.resolve(this.#unusableResult())
    const shortage = options.origin === 'client' ? this.#space?.shortage : undefined
    if (shortage) {
      return this.#refused(refuse(ErrorCode.kafkaStorageError, shortage.message))
    }
    this.#space?.use(bytes.length)
    const decision = this.#tail.append(bytes, options, this.#clock.nowMs())
    if (decision.kind === 'refused') return this.#refused(decision)
    const isDuplicate = decision.kind === 'duplicate'
    if (isDuplicate && decision.lastOffset < this.#watermarks.stableEnd) {
      return Promise.resolve(appended(decision, this.logStartOffset))
    }
    return new Promise((resolve) => {
      this.#writer.submit({
        ...(isDuplicate ? nothingToWrite : decision),
        sizeBytes: isDuplicate ? bytes.length : decision.bytes.length,
        done: (stable) =>
          resolve(stable ? appended(decision, this.logStartOffset) : this.#unusableResult()),
      })
    })
  }

  /** Lets in what was held back, in the order in which it came. */
  #letIn(): void {
    this.#held.letIn(
      () => !this.#isHeld && !this.#writer.isFull,
      (bytes, options) => this.#admit(bytes, options),
    )
  }

  #refused(refusal: Refusal): Promise<AppendResult> {
    return Promise.resolve(notAppended(refusal, this.logStartOffset))
  }

  #unusableResult(): AppendResult {
    // A log that is closed is being deleted, or its broker ends: the client should look elsewhere.
    const code = this.offline ? ErrorCode.kafkaStorageError : ErrorCode.notLeaderOrFollower
    return notAppended(refuse(code, this.#unusable().message), this.logStartOffset)
  }

  #unusable(): LogError {
    return this.offline ?? new LogError('LOG_CLOSED', `${this.directory} is closed`)
  }

  #place(): LogPlace {
    const { directory } = this
    return { disk: this.#disk, directory, config: this.#config, cache: this.#cache }
  }

  #recoveryOptions(wasClosed: boolean): RecoveryOptions {
    const { recoveryPoint, logStartOffset } = this
    const known = { recoveryPoint, logStartOffset, isKnown: this.#start.isKnown, wasClosed }
    return { ...this.#place(), ...known, nowMs: this.#clock.nowMs(), logger: this.#parentLogger }
  }

  /** Takes up a log that nothing has changed in; false when it has to be looked into. */
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
    const { segments, active, nextOffset, producers, epochs } = recovered
    this.#start.recovered(recovered.logStartOffset, recovered.damage !== undefined)
    this.#segments = new LogSegments(this.#disk, this.directory, segments)
    this.#tail = new LogTail(this.#config, nextOffset, active, producers, epochs, this.#random)
    this.#madeWriter = undefined
    this.#watermarks.begin(nextOffset, producers.transactions)
    this.#noteStable()
  }

  get #writer(): LogWriter {
    this.#madeWriter ??= new LogWriter(
      {
        startSegment: (roll) => this.#startSegment(roll),
        saveLeaderEpochs: (content) =>
          this.#disk.writeFileAtomic(join(this.directory, leaderEpochFileName), content),
        write: (chunks, aborted) => this.#write(chunks, aborted),
        failed: (cause) => this.#health.writeFailed(cause),
        drained: () => this.#letIn(),
      },
      this.#config.maxPendingBytes,
    )
    return this.#madeWriter
  }

  async #write(
    chunks: readonly Buffer[],
    aborted: readonly AbortedTransactionEntry[],
  ): Promise<void> {
    const { active } = this.#segments
    // Damage at its end must be known before the journal has anything that lies behind it.
    if (active.isAsleep) await active.indexes()
    const start = active.sizeBytes
    await this.#durability.append(active, chunks)
    active.noteChecked(start, this.#clock.monotonicMs())
    active.noteAborted(aborted)
    if (active.indexesFull(this.#config.segmentIndexBytes)) {
      this.#tail.indexesFull(active.baseOffset)
    }
    this.#noteStable()
  }

  #noteStable(): void {
    const { active } = this.#segments
    this.#watermarks.noteStable(active.nextOffset, active.sizeBytes)
  }

  async #startSegment({ baseOffset, snapshot }: Roll): Promise<void> {
    // At most one segment is being sealed: a disk that cannot keep up slows the appends down.
    await this.#housekeeping.idle
    const sealed = this.#segments.active
    this.#segments.add(await Segment.create(this.#place(), baseOffset))
    this.#noteStable()
    void this.#housekeeping.seal(sealed, baseOffset, snapshot)
  }

  #newHousekeeping(recoveryPoint: number): LogHousekeeping {
    return new LogHousekeeping({
      disk: this.#disk,
      directory: this.directory,
      recoveryPoint,
      removed: this.#removed,
      failed: (cause) => this.#health.writeFailed(cause),
    })
  }

  async #regain(): Promise<void> {
    const outgrown = this.#segments
    try {
      await this.#writer.stop()
      await this.#housekeeping.stop()
      await outgrown.writeStaged()
      await this.#durability.beforeCut(outgrown.active.baseOffset, this.#watermarks.stablePosition)
      await outgrown.active.cutTo(this.#watermarks.stablePosition)
      this.#housekeeping = this.#newHousekeeping(this.recoveryPoint)
      await this.#recover()
    } catch (error) {
      if (!isPassing(error)) this.#health.failed(error)
      return
    }
    this.#health.regained()
    await outgrown.close()
    this.#logger.info({ offset: this.logEndOffset }, 'there is room again: the log takes writes')
  }

  /** Runs with everything written and nothing new let in. */
  async #exclusively(task: () => Promise<void>): Promise<void> {
    this.#isHeld = true
    try {
      if (!(await this.#writer.barrier())) throw this.#unusable()
      await this.#housekeeping.idle
      if (this.offline) throw this.offline
      // Cut off in part, it is not what readers or writers may go on with.
      await task().catch((error: unknown) => {
        this.#health.failed(error)
        throw error
      })
    } finally {
      this.#isHeld = false
      this.#letIn()
    }
  }

  async #cutEpochs(end: number): Promise<void> {
    const { epochs } = this.#tail
    if (!epochs.truncateFromEnd(end)) return
    await this.#disk.writeFileAtomic(join(this.directory, leaderEpochFileName), epochs.encode())
  }

  async #shut(): Promise<void> {
    this.#isClosed = true
    this.#isHeld = false
    await this.#regaining
    await this.#writer.stop()
    this.#letIn()
    await this.#housekeeping.stop()
    await this.#removed.close()
    await this.#segments.close()
  }
}
