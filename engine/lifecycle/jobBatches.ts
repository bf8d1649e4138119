// The work around each batch of a running job: lists the ends of its topics, reports planned
// batches, advances states and runs outputs, writes dead letters, and updates the status. BatchLoop
// decides when a batch runs; Driver, where its tasks run.

import { isRetriableFailure } from '../../protocol/client/clientError.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Timer } from '../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { contractOf } from '../contract/statefulOperator.ts'
import type { EngineError } from '../engineError.ts'
import { JobCounts } from '../metrics/jobFigures.ts'
import type { BatchAccount } from '../scheduler/batchAccount.ts'
import { type BatchAttempt, BatchLoop, type CommittedBatch } from '../scheduler/batchLoop.ts'
import { describeProgress } from '../scheduler/batchProgress.ts'
import type { AdvancedBatch, Driver } from '../scheduler/driver.ts'
import { lagBehind, offsetsIn } from '../scheduler/rangePlan.ts'
import type { RateLimits } from '../scheduler/rateLimits.ts'
import type { DeadLetterEnd } from '../sources/deadLetter.ts'
import { DeadLetters } from '../sources/deadLetters.ts'
import { hasLost, type LostRange, leftOf, lostBetween } from '../sources/lostOffsets.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'
import { TopicOffsets } from '../sources/topicOffsets.ts'
import { JobOutputs } from './jobOutputs.ts'
import type { JobStatusRecord, RunningBatch, ViewRows } from './jobStatus.ts'
import { RejectedLog } from './rejectedLog.ts'

export interface JobBatchesOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random'>
  readonly logger: Logger
  readonly driver: Driver
  readonly cluster: Cluster
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  readonly isolation: Isolation
  readonly limits: RateLimits
  readonly maxBatchTimeMs: number | undefined
  /** Version of the job's code. */
  readonly code: string
  /** Returns the job's status; it is created with the total of the loop's counts. */
  record(): JobStatusRecord
  /** Called when a batch is committed and the status is updated. */
  onCommitted(): void
}

/** A batch that runs longer is logged, once. */
const slowBatchMs = 30_000
/** Interval of listing the ends of topics while a batch runs. */
const lookMs = 3_000

export class JobBatches {
  readonly loop: BatchLoop
  /** The counts for the metrics of the job. */
  readonly counts: JobCounts
  readonly #options: JobBatchesOptions
  readonly #offsets: TopicOffsets
  readonly #outputs: JobOutputs
  /** Undefined for a job without dead letter topics. */
  readonly #deadLetters: DeadLetters | undefined
  readonly #rejectedLog: RejectedLog
  #deadLetterEnds: readonly DeadLetterEnd[] | undefined
  #rows: ReadonlyMap<string, ViewRows> = new Map()
  /** Late rows and state sizes of the batch that ran last. */
  #advanced: Pick<AdvancedBatch, 'lateRows' | 'states'> = { lateRows: 0, states: [] }
  /** The running batch, with its start. */
  #batch: { readonly batchId: number; readonly sinceMs: number } | undefined
  /** Ends of the topics at the plan of the newest batch, or at the last listing while it runs. */
  #logEnds: readonly PartitionEnds[] = []
  /** Logs when topics cannot be read. */
  readonly #waits: LastingCondition

  constructor(options: JobBatchesOptions) {
    const { runtime, logger, driver, cluster, offsetLog, commitLog, isolation } = options
    const { graph } = driver
    this.#options = options
    this.counts = new JobCounts(commitLog.latest(), graph.topics)
    this.#outputs = new JobOutputs(driver, logger, runtime.clock)
    const over = 'the topics can be read again'
    this.#waits = new LastingCondition({ clock: runtime.clock, logger, over })
    this.#rejectedLog = new RejectedLog(logger, graph.name)
    this.#offsets = new TopicOffsets(cluster, graph.topics, isolation, graph.sources)
    const topics = [...graph.sources.values()].flatMap(({ deadLetters }) => deadLetters)
    if (topics.length > 0) {
      const distinct = [...new Set(topics)]
      this.#deadLetters = new DeadLetters(cluster, runtime, { job: graph.name, topics: distinct })
    }
    this.loop = new BatchLoop({
      clock: runtime.clock,
      batchIntervalMs: graph.batchIntervalMs,
      limits: options.limits,
      maxBatchTimeMs: options.maxBatchTimeMs,
      canSplitRerun: topics.length === 0 && graph.outputs.every(({ kind }) => kind === 'view'),
      watermarks: graph.watermarks,
      operators: graph.operators.map(contractOf),
      code: options.code,
      isolation,
      offsetLog,
      commitLog,
      ends: (read) => this.#ends(read),
      forgetLost: (batch, ends) => this.#forgetLost(batch, ends),
      beforePlanned: async (batch) => this.#planned(batch),
      run: (batch, attempt) => this.#run(batch, attempt),
      breakOff: (error) => driver.breakOff(error),
      onSplit: (batch, smaller, error) => this.#split(batch, smaller, error),
      beforeCommit: (batch, account) => this.#beforeCommit(batch, account),
      advanced: (batchId) => graph.advancing(batchId).map(({ uid }) => uid),
      oldestRemembered: () => graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch, done) => this.#committed(batch, done),
    })
  }

  /**
   * Rejects when a dead letter topic does not exist. An unavailable broker is asked again later.
   */
  async start(): Promise<void> {
    try {
      await this.#deadLetters?.start()
    } catch (error) {
      if (!isRetriableFailure(error)) throw error
    }
  }

  async close(): Promise<void> {
    await this.#deadLetters?.close()
  }

  /** The running batch; undefined between batches. */
  running(): RunningBatch | undefined {
    const { driver, runtime } = this.#options
    if (this.#batch === undefined) return undefined
    const progress = driver.progress()
    return {
      ...this.#batch,
      tasks: driver.running(),
      text: describeProgress(progress, runtime.clock.nowMs()),
      tasksDone: progress.stages.reduce((sum, { done }) => sum + done, 0),
      tasksTotal: progress.stages.reduce((sum, { partitions }) => sum + partitions, 0),
      failing: this.#outputs.failing,
    }
  }

  async #ends(read: readonly OffsetRange[]): Promise<readonly PartitionEnds[] | undefined> {
    const { offsetLog } = this.#options
    // Drops cached offsets, because a batch whose ranges are lost is planned again.
    if (read !== offsetLog.latest()?.ranges) this.#offsets.forget()
    const ends = await this.#asked(async () => {
      const found = await this.#offsets.ends(read)
      this.#deadLetterEnds = await this.#deadLetters?.ends()
      return found
    })
    if (ends !== undefined) this.#logEnds = ends
    return ends
  }

  /**
   * Asks the brokers, and records in the status whether they answered. Returns undefined when they
   * are unavailable, or when the answer is no longer wanted.
   */
  async #asked<Answer>(
    ask: () => Promise<Answer>,
    isWanted = () => true,
  ): Promise<Answer | undefined> {
    const { name: job, topics } = this.#options.driver.graph
    try {
      const answer = await ask()
      if (!isWanted()) return undefined
      this.#waits.over({ job })
      this.#options.record().waitsFor(undefined)
      return answer
    } catch (error) {
      if (!isWanted()) return undefined
      if (!isRetriableFailure(error)) throw error
      const fields = { job, topics, reason: (error as Error).message }
      this.#waits.met(fields, 'failed to read the topics; retrying')
      this.#options.record().waitsFor(`failed to read the topics: ${fields.reason}`)
      return undefined
    }
  }

  /**
   * Keeps the status current during a long batch, which may be waiting for its topics while they
   * grow. Returns a function that stops it.
   */
  #watchTopics(batch: OffsetLogEntry): () => void {
    const { clock } = this.#options.runtime
    let runs = true
    let timer: Timer
    const look = async () => {
      try {
        const ends = await this.#asked(
          () => this.#offsets.ends(),
          () => runs,
        )
        if (ends !== undefined) {
          this.#logEnds = ends
          this.#options.record().lags(this.#lagBefore(batch))
        }
      } catch {
        // Errors other than an unavailable broker are found and reported by the batch.
      }
      if (runs) timer = clock.setTimer(lookMs, look)
    }
    timer = clock.setTimer(lookMs, look)
    return () => {
      runs = false
      timer.cancel()
    }
  }

  /**
   * The offset log keeps earlier batches as planned, so that the next process comes to the same
   * result.
   */
  #forgetLost({ batchId }: OffsetLogEntry, ends: readonly PartitionEnds[]): boolean {
    const { driver, logger } = this.#options
    const { graph } = driver
    const mayLose = ends.filter(
      ({ topic }) => (graph.sources.get(topic)?.onLost ?? 'fail') !== 'fail',
    )
    const before = graph.history.upTo(batchId - 1)
    const first = before.findIndex(({ ranges }) => ranges.some((range) => hasLost(range, mayLose)))
    if (first < 0) return false
    for (const batch of before.slice(first)) {
      const ranges = leftOf(batch.ranges, mayLose)
      driver.addBatch({ ...batch, ranges })
      const lostRecords = offsetsIn(batch.ranges) - offsetsIn(ranges)
      if (lostRecords === 0) continue
      const fields = { job: graph.name, batchId, readIn: batch.batchId, lostRecords }
      logger.warn(fields, 'windows continue without records of earlier batches that are lost')
    }
    return true
  }

  #planned(batch: OffsetLogEntry): OffsetLogEntry {
    const deadLetterEnds = this.#deadLetterEnds
    return deadLetterEnds === undefined ? batch : { ...batch, deadLetterEnds }
  }

  async #run(batch: OffsetLogEntry, attempt: BatchAttempt): Promise<void> {
    const { driver, runtime } = this.#options
    driver.addBatch(batch)
    this.#batch = { batchId: batch.batchId, sinceMs: runtime.clock.nowMs() }
    this.#options.record().lags(this.#lagBefore(batch))
    for (const lost of this.#lostBefore(batch)) {
      const fields = { job: driver.graph.name, batchId: batch.batchId, ...lost }
      this.#options.logger.warn(
        fields,
        'offsets of a topic were lost; the job continues without them',
      )
    }
    const slow = runtime.clock.setTimer(slowBatchMs, () => this.#logSlow())
    const endWatch = this.#watchTopics(batch)
    try {
      const advancing = driver.advance(batch)
      const changed = advancing.then((advanced) => advanced.changed)
      this.#rows = await this.#outputs.run(batch, attempt, changed)
      this.#advanced = await advancing
    } finally {
      slow.cancel()
      endWatch()
      this.#batch = undefined
    }
  }

  #lostBefore({ batchId, ranges }: OffsetLogEntry): LostRange[] {
    return lostBetween(this.#options.offsetLog.get(batchId - 1)?.ranges ?? [], ranges)
  }

  #logSlow(): void {
    const { driver, logger } = this.#options
    const running = this.running()
    logger.warn({ job: driver.graph.name, ...running }, `slow batch: ${running?.text}`)
  }

  #split(batch: OffsetLogEntry, smaller: OffsetLogEntry, error: EngineError): void {
    this.counts.split()
    const { batchId, ranges } = batch
    const offsets = { before: offsetsIn(ranges), now: offsetsIn(smaller.ranges) }
    const fields = { job: this.#options.driver.graph.name, batchId, offsets, reason: error.message }
    this.#options.logger.warn(fields, 'the batch is too large; retrying with half of its offsets')
  }

  async #beforeCommit(batch: OffsetLogEntry, { rejected }: BatchAccount): Promise<void> {
    if (rejected.total === 0 && rejected.deadLetters.length === 0) return
    await this.#deadLetters?.write(batch.batchId, rejected.deadLetters, this.#endsBefore(batch))
    this.#options.record().rejected(rejected)
    this.counts.rejected(rejected)
    this.#rejectedLog.add(batch.batchId, rejected)
  }

  /** Ends of dead letter topics before any batch that windows may have read again. */
  #endsBefore({ batchId }: OffsetLogEntry): readonly DeadLetterEnd[] {
    const { driver, offsetLog } = this.#options
    const oldest = driver.graph.history.upTo(batchId)[0]!
    const reached = offsetLog.range(oldest.batchId, batchId + 1)
    // Batches of code without dead letter topics have written none.
    return reached.find(({ deadLetterEnds }) => deadLetterEnds !== undefined)?.deadLetterEnds ?? []
  }

  /** Records after the newest committed batch, including those of the batch that is starting. */
  #lagBefore({ ranges }: OffsetLogEntry): number {
    const { offsetLog, commitLog } = this.#options
    // A batch that is rerun was planned by an earlier process.
    if (this.#logEnds.length === 0) return offsetsIn(ranges)
    const committed = offsetLog.get(commitLog.latest())
    return lagBehind(this.#logEnds, committed?.ranges ?? [])
  }

  #committed(batch: OffsetLogEntry, done: CommittedBatch): void {
    const { counts } = this
    const record = this.#options.record()
    for (const { lostRecords } of this.#lostBefore(batch)) record.lost(lostRecords)
    record.late(this.#advanced.lateRows)
    counts.advanced(this.#advanced.states)
    const finishedMs = this.#options.runtime.clock.nowMs()
    counts.committed({ ...batch, ...done, finishedMs })
    record.batchCommitted({
      ...done,
      batch,
      finishedMs,
      rows: this.#rows,
      lagRecords: lagBehind(this.#logEnds, batch.ranges),
    })
    this.#options.onCommitted()
  }
}
