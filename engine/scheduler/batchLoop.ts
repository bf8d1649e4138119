// The batch loop: runs a job's batches, one after another, from plan to commit.
//
// Contract: the order of the durable steps makes every record count exactly once. The offsets are
// appended to the offset log before the batch reads them, state is written while the batch runs,
// and the commit log gets the batch last. After a crash anywhere, the batch that is planned and not
// committed is run again with the same offsets.
//
// A batch that is too large before any of its outputs has begun is planned again with half of its
// offsets, under the same id, time and watermarks: nothing of it is visible outside yet. A batch
// whose records a topic has lost is planned again from the offset where the topic continues. The
// loop must never plan a batch before the previous one is committed, nor change the offsets of a
// batch after one of its outputs has begun.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { OperatorContract, WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { TaskReport } from '../executor/task.ts'
import { hasLost } from '../sources/lostOffsets.ts'
import { RejectedRecords } from '../sources/rejectedRecords.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { BatchAccount } from './batchAccount.ts'
import { type BatchDecision, BatchScheduler } from './batchScheduler.ts'
import { halved, isTooLarge } from './batchSplit.ts'
import { offsetsIn, planRanges, requireMayCut, startsOf } from './rangePlan.ts'
import type { RateLimits } from './rateLimits.ts'
import { RecordCount } from './recordCount.ts'
import { mergeEventTimes, planWatermarks } from './watermarkPlan.ts'

export interface BatchLoopOptions {
  readonly clock: Clock
  readonly batchIntervalMs: number
  readonly limits: RateLimits
  /** Isolation level of the reads; recorded with each planned batch. */
  readonly isolation?: Isolation
  /** Recorded with each planned batch, as are `operators` and `watermarks`. */
  readonly code?: string | undefined
  readonly operators?: readonly OperatorContract[] | undefined
  readonly watermarks?: readonly WatermarkSpec[] | undefined
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /**
   * Time after which a batch is cancelled and retried with fewer offsets, in ms, unless an output
   * has begun. No limit by default: a batch may also be waiting for a broker, and splitting does
   * not help then.
   */
  readonly maxBatchTimeMs?: number | undefined
  /**
   * Whether a batch planned by an earlier process may be split. Must be false when the job has
   * outputs other than views, or dead letters: the earlier process may have written them already.
   */
  readonly canSplitRerun?: boolean
  /**
   * Returns the current ends of the topics, for a job that has read up to the ends of `read`.
   * Returns undefined while they are unavailable; the batch waits.
   */
  ends(read: readonly OffsetRange[]): Promise<readonly PartitionEnds[] | undefined>
  /**
   * Drops lost records from earlier batches that windows read again, where the topic's onLost
   * allows it. Returns false when none of their records are lost, or the topic does not allow it.
   */
  forgetLost?(batch: OffsetLogEntry, ends: readonly PartitionEnds[]): boolean
  /** May extend a planned batch before it becomes durable. */
  beforePlanned?(batch: OffsetLogEntry): Promise<OffsetLogEntry>
  /**
   * Runs all outputs of the batch. Called again for the same id after a restart, and with fewer
   * offsets after a split.
   */
  run(batch: OffsetLogEntry, attempt: BatchAttempt): Promise<void>
  /**
   * Fails the batch's running actions with `error`; resolves when none of its tasks runs any more.
   */
  breakOff?(error: EngineError): Promise<void>
  /** Uids of the operators whose state this batch changed, or may have changed. */
  advanced?(batchId: number): readonly string[]
  /** Called after the batch has run. Its rejected records must be durable when this resolves. */
  beforeCommit?(batch: OffsetLogEntry, account: BatchAccount): Promise<void>
  /** The oldest batch that a window still reads. */
  oldestRemembered(): number
  onCommitted(batch: OffsetLogEntry, done: CommittedBatch): void
  /** Called when the batch is retried with fewer offsets because of `error`. */
  onSplit?(batch: OffsetLogEntry, smaller: OffsetLogEntry, error: EngineError): void
}

export interface CommittedBatch {
  readonly startedMs: number
  /** Records read by tasks. */
  readonly records: number
  /** Records of all counted batches since the job first started. */
  readonly recordsTotal: number
  /** The smallest record timestamp that tasks read; undefined when they read no record. */
  readonly oldestTimestampMs: number | undefined
  /** Time spent writing the batch to the offset log and the commit log, in ms. */
  readonly checkpointMs: number
}

/** One attempt to run a batch. */
export interface BatchAttempt {
  /**
   * Must be called before anything of the batch becomes visible outside, such as in a function of
   * foreachRDD: from then on the batch keeps its offsets. Throws when the attempt was already
   * cancelled.
   */
  outputBegins(): void
}

class Attempt implements BatchAttempt {
  readonly account: BatchAccount
  readonly isRepeated: boolean
  #state: 'open' | 'output' | 'givenUp' = 'open'

  constructor(batch: OffsetLogEntry, isRepeated: boolean, rejected: RejectedRecords) {
    this.account = new BatchAccount(batch, rejected)
    this.isRepeated = isRepeated
  }

  outputBegins(): void {
    if (this.#state === 'givenUp') throw brokenOff(this.account.batchId)
    this.#state = 'output'
  }

  /** Returns false when an output has begun. */
  giveUp(): boolean {
    if (this.#state === 'output') return false
    this.#state = 'givenUp'
    return true
  }
}

interface Visit {
  run(): Promise<void>
  fail(error: EngineError): void
}

export class BatchLoop {
  /** Counts the records of the job. */
  readonly counts: RecordCount
  readonly #options: BatchLoopOptions
  readonly #scheduler: BatchScheduler
  readonly #stopping = new AbortController()
  readonly #rejected = new RejectedRecords()
  #attempt: Attempt | undefined
  /** The oldest batch that a window still reads, as of the newest commit of this process. */
  #oldestRemembered = -1
  #isAbandoned = false
  /** Pending calls of `between`. A caller that does not await its call must bound their number. */
  readonly #visits: Visit[] = []
  /** Aborted to end the wait before the next batch. */
  #woken = new AbortController()
  #hasEnded = false
  /** Time that the running batch took in the offset log, in ms. */
  #plannedInMs = 0

  constructor(options: BatchLoopOptions) {
    this.#options = options
    this.counts = countOf(options)
    this.#scheduler = new BatchScheduler({
      batchIntervalMs: options.batchIntervalMs,
      planned: options.offsetLog.latest(),
      committedBatchId: options.commitLog.latest(),
    })
  }

  /**
   * Must be called for each task of the running batch that has finished and whose result counts.
   */
  taskFinished(report: TaskReport): void {
    for (const read of report.ranges) this.counts.rangeRead(read)
    this.#attempt?.account.taskFinished(report)
  }

  /** Resolves after `stop`, once the running batch is committed. Rejects when a batch fails. */
  async run(): Promise<void> {
    const { clock } = this.#options
    try {
      for (;;) {
        await this.#runVisits()
        const decision = this.#scheduler.next(clock.nowMs())
        if (decision.kind === 'stop') return
        if (decision.kind === 'wait') await this.#wait(decision.delayMs)
        else await this.#runBatch(decision)
      }
    } finally {
      this.#endVisits()
    }
  }

  /**
   * Runs `visit` between two batches, before the next one is planned. Rejects when the loop ends
   * first.
   */
  between<T>(visit: () => Promise<T>): Promise<T> {
    const visited = Promise.withResolvers<T>()
    if (this.#hasEnded) return Promise.reject(beingStopped())
    this.#visits.push({
      run: () => visit().then(visited.resolve, visited.reject),
      fail: visited.reject,
    })
    this.#woken.abort()
    return visited.promise
  }

  stop(): void {
    this.#scheduler.stop()
    this.#stopping.abort()
  }

  /** Stops without committing the running batch: `run` rejects once that batch has ended. */
  abandon(): void {
    this.stop()
    this.#isAbandoned = true
  }

  async #runVisits(): Promise<void> {
    for (let visit = this.#visits.shift(); visit; visit = this.#visits.shift()) await visit.run()
  }

  #endVisits(): void {
    this.#hasEnded = true
    for (const { fail } of this.#visits.splice(0)) fail(beingStopped())
  }

  async #wait(delayMs: number): Promise<void> {
    this.#woken = new AbortController()
    if (this.#visits.length > 0) return
    const signal = AbortSignal.any([this.#stopping.signal, this.#woken.signal])
    await sleep(this.#options.clock, delayMs, signal)
  }

  async #runBatch(decision: Extract<BatchDecision, { kind: 'rerun' | 'plan' }>): Promise<void> {
    const isRerun = decision.kind === 'rerun'
    this.#plannedInMs = 0
    const startedMs = this.#options.clock.nowMs()
    const planned = isRerun
      ? await this.#plannedBefore(decision.batch as OffsetLogEntry)
      : await this.#plan(decision)
    if (planned === undefined) {
      this.#scheduler.abandoned()
      return
    }
    const { batch, attempt } = await this.#runOrSplit(planned, isRerun)
    if (this.#isAbandoned) throw brokenOff(batch.batchId)
    await this.#commit(batch, attempt, startedMs)
  }

  async #commit(batch: OffsetLogEntry, attempt: Attempt, startedMs: number): Promise<void> {
    const { clock, commitLog, offsetLog, limits, onCommitted } = this.#options
    this.#oldestRemembered = this.#options.oldestRemembered()
    const { account, isRepeated } = attempt
    const { batchId, timeMs, ranges } = batch
    const records = this.counts.recordsIn(batchId)
    const counted = this.counts.commit(this.#oldestRemembered)
    const { watermarks = [] } = this.#options
    const before = commitLog.latestCommit()
    const previousMs = offsetLog.get(batchId - 1)?.timeMs
    const { eventTimes: seen } = account
    const eventTimes = mergeEventTimes(watermarks, before?.eventTimes, batch, seen, previousMs)
    const advanced = this.#options.advanced?.(batchId) ?? []
    const states = [...new Set([...(before?.states ?? []), ...advanced])].sort()
    const writtenMs = clock.monotonicMs()
    await commitLog.commit(batchId, { ...counted, states, ...(eventTimes && { eventTimes }) })
    const checkpointMs = this.#plannedInMs + clock.monotonicMs() - writtenMs
    this.#attempt = undefined
    this.#scheduler.finished(batch)
    await offsetLog.prune(this.#oldestRemembered)
    const finishedMs = clock.nowMs()
    const { reads, oldestTimestampMs } = account
    limits.finished({ timeMs, startedMs, finishedMs, records, ranges, reads, isRepeated })
    const { recordsTotal } = counted
    onCommitted(batch, { startedMs, records, recordsTotal, oldestTimestampMs, checkpointMs })
  }

  /** Retries the batch until it succeeds; returns its final ranges and its last attempt. */
  async #runOrSplit(
    planned: OffsetLogEntry,
    isRerun: boolean,
  ): Promise<{ batch: OffsetLogEntry; attempt: Attempt }> {
    let batch = planned
    for (let attempts = 1; ; attempts++) {
      this.#rejected.begin(batch.batchId, this.#oldestRemembered)
      const attempt = new Attempt(batch, isRerun || attempts > 1, this.#rejected)
      try {
        await this.#tryOnce(batch, attempt, isRerun)
        return { batch, attempt }
      } catch (error) {
        if (this.#isAbandoned) throw error
        const next = isLost(error)
          ? await this.#withoutLost(batch, attempt, error)
          : await this.#half(batch, attempt, isRerun, error)
        if (next !== batch) await this.#options.offsetLog.supersede(next)
        batch = next
      }
    }
  }

  async #tryOnce(batch: OffsetLogEntry, attempt: Attempt, isRerun: boolean): Promise<void> {
    const { clock, maxBatchTimeMs, run, beforeCommit } = this.#options
    this.#attempt = attempt
    this.counts.begin(batch)
    const isBounded = maxBatchTimeMs !== undefined && this.#canSplit(isRerun)
    const late = isBounded
      ? clock.setTimer(maxBatchTimeMs, () => this.#isLate(batch, attempt, maxBatchTimeMs))
      : undefined
    try {
      await run(batch, attempt)
    } finally {
      late?.cancel()
    }
    attempt.account.requireComplete()
    if (beforeCommit === undefined || this.#isAbandoned) return
    attempt.outputBegins()
    await beforeCommit(batch, attempt.account)
  }

  #isLate({ batchId, ranges }: OffsetLogEntry, attempt: Attempt, maxBatchTimeMs: number): void {
    if (!attempt.giveUp()) return
    const message =
      `batch ${batchId} with ${offsetsIn(ranges)} offsets took longer than ${maxBatchTimeMs} ms; reduce the records that it ` +
      'reads, or raise the limit (maxBatchTimeMs)'
    void this.#options.breakOff?.(new EngineError('BATCH_TIMED_OUT', message))
  }

  /**
   * Returns the batch with half of its offsets. Rethrows the error when a split is not allowed or
   * cannot help.
   */
  async #half(
    batch: OffsetLogEntry,
    attempt: Attempt,
    isRerun: boolean,
    error: unknown,
  ): Promise<OffsetLogEntry> {
    const { limits, onSplit } = this.#options
    if (!isTooLarge(error)) throw error
    if (!this.#canSplit(isRerun)) throw mayBeShown(batch, error)
    const ranges = halved(batch.ranges)
    if (ranges === undefined) throw cannotSplit(batch, error)
    await this.#giveUp(attempt, error)
    const smaller = { ...batch, ranges }
    limits.split(batch.ranges, ranges)
    onSplit?.(batch, smaller, error)
    return smaller
  }

  /**
   * Prepares a batch planned by an earlier process. Lost records must be found before it runs: an
   * output begins before its tasks would find them, and would then fix the batch's offsets in every
   * later process. Returns undefined when the loop stops before the topics are available.
   */
  async #plannedBefore(batch: OffsetLogEntry): Promise<OffsetLogEntry | undefined> {
    const left = await this.#leftOf(batch)
    if (left === undefined) return undefined
    this.#options.forgetLost?.(batch, left.ends)
    if (left.batch !== batch) await this.#options.offsetLog.supersede(left.batch)
    return left.batch
  }

  /**
   * Returns the batch to run after topics have lost records of it: the batch planned again from
   * where it began or, when only a window over earlier batches is affected, the same batch without
   * the lost records. An earlier process may have shown results of the original batch; it can no
   * longer be reproduced, so the topic's onLost decides whether the job continues. Throws
   * OFFSETS_LOST when it does not.
   */
  async #withoutLost(
    batch: OffsetLogEntry,
    attempt: Attempt,
    error: EngineError,
  ): Promise<OffsetLogEntry> {
    await this.#giveUp(attempt, error)
    const left = await this.#leftOf(batch)
    if (left === undefined) throw error
    const isForgotten = this.#options.forgetLost?.(batch, left.ends) === true
    if (left.batch === batch && !isForgotten) throw lostBefore(batch, error)
    return left.batch
  }

  /**
   * Plans the batch again if logs have lost records of it; returns it unchanged otherwise. Returns
   * undefined when the loop stops before the topics are available. Throws OFFSETS_LOST when records
   * are lost and the topic's onLost does not say where to continue.
   */
  async #leftOf(
    batch: OffsetLogEntry,
  ): Promise<{ batch: OffsetLogEntry; ends: readonly PartitionEnds[] } | undefined> {
    const { timeMs, ranges } = batch
    const { limits, isolation } = this.#options
    const read = startsOf(ranges)
    const ends = await this.#endsOnceThere(read)
    const endsAfter = ends && (await this.#endsOnceThere(ranges))
    if (ends === undefined || endsAfter === undefined) return undefined
    const isCut = requireMayCut(ranges, endsAfter)
    if (!isCut && !ranges.some((range) => hasLost(range, ends))) return { batch, ends }
    const bounds = limits.plan({ timeMs, ends, previous: { timeMs, ranges: read } })
    return { batch: { ...batch, ranges: planRanges(ends, read, bounds, isolation) }, ends }
  }

  /**
   * Resolves when nothing of the attempt runs any more. Rethrows the error when an output has
   * begun.
   */
  async #giveUp(attempt: Attempt, error: EngineError): Promise<void> {
    if (!attempt.giveUp()) throw error
    await this.#options.breakOff?.(error)
    if (this.#isAbandoned) throw brokenOff(attempt.account.batchId)
  }

  #canSplit(isRerun: boolean): boolean {
    return !isRerun || this.#options.canSplitRerun === true
  }

  /** Returns undefined when the loop stops before the topics are available. */
  async #plan(planned: Pick<BatchInfo, 'batchId' | 'timeMs'>): Promise<OffsetLogEntry | undefined> {
    const { clock, offsetLog, beforePlanned } = this.#options
    const ends = await this.#endsOnceThere(offsetLog.latest()?.ranges ?? [])
    if (ends === undefined) return undefined
    const entry = this.#entry(planned, ends)
    const batch = (await beforePlanned?.(entry)) ?? entry
    const writtenMs = clock.monotonicMs()
    await offsetLog.append(batch)
    this.#plannedInMs = clock.monotonicMs() - writtenMs
    return batch
  }

  /** Returns undefined when the loop stops before the topics are available. */
  async #endsOnceThere(
    read: readonly OffsetRange[],
  ): Promise<readonly PartitionEnds[] | undefined> {
    const { clock, batchIntervalMs } = this.#options
    const { signal } = this.#stopping
    let ends = await this.#options.ends(read)
    while (ends === undefined && !signal.aborted) {
      await sleep(clock, batchIntervalMs, signal)
      if (!signal.aborted) ends = await this.#options.ends(read)
    }
    return signal.aborted ? undefined : ends
  }

  #entry(
    { batchId, timeMs }: Pick<BatchInfo, 'batchId' | 'timeMs'>,
    ends: readonly PartitionEnds[],
  ): OffsetLogEntry {
    const { offsetLog, commitLog, limits, isolation, code, operators, watermarks } = this.#options
    const previous = offsetLog.latest()
    const bounds = limits.plan({ timeMs, ends, previous })
    const ranges = planRanges(ends, previous?.ranges ?? [], bounds, isolation)
    const eventTimes = commitLog.latestCommit()?.eventTimes
    const specs = watermarks ?? []
    const planned = planWatermarks({ specs, timeMs, ranges, ends, eventTimes, previous })
    return {
      ...{ batchId, timeMs, ranges },
      // Includes watermarks that the current code does not have: if they return, they must not go
      // back.
      ...((specs.length > 0 || Object.keys(planned).length > 0) && { watermarks: planned }),
      ...(code !== undefined && { code }),
      ...(operators !== undefined && { operators }),
    }
  }
}

function beingStopped(): EngineError {
  return new EngineError('EXECUTOR_FAILED', 'the job is stopping')
}

function brokenOff(batchId: number): EngineError {
  return new EngineError('EXECUTOR_FAILED', `batch ${batchId} was cancelled: the job is stopping`)
}

function isLost(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'OFFSETS_LOST'
}

/**
 * The batch's own records exist; those of an earlier batch, which a window reads again, are lost.
 */
function lostBefore({ batchId }: OffsetLogEntry, error: EngineError): EngineError {
  const what = `batch ${batchId} cannot run: a window reads records of earlier batches again, and some of them are lost`
  const { code, message, publicMessage } = error
  return new EngineError(code, `${what}: ${message}`, error, `${what}: ${publicMessage}`)
}

/** A batch that may be visible outside is not split: a smaller one might contradict its results. */
function mayBeShown({ batchId }: OffsetLogEntry, error: EngineError): EngineError {
  const what = `batch ${batchId} cannot be split: it was planned by an earlier process, which may have written some of its outputs`
  const smaller =
    'smaller batches (maxRecordsPerPartition, spark.streaming.kafka.maxRatePerPartition)'
  const wayOut =
    batchId === 0
      ? `Raise the limit, or start the job in a new directory with ${smaller}`
      : `Raise the limit, or rewind the job (\`millrace job rewind --to-batch ${batchId - 1}\`) and start it with ${smaller}`
  const { code, message, publicMessage } = error
  const explained = (text: string) => `${what}: ${text}. ${wayOut}`
  return new EngineError(code, explained(message), error, explained(publicMessage))
}

function cannotSplit({ batchId, ranges }: OffsetLogEntry, error: EngineError): EngineError {
  const only = ranges.find(({ from, until }) => until > from)
  assert(offsetsIn(ranges) <= 1, 'a batch of more than one offset is always split further')
  const what =
    only === undefined
      ? `batch ${batchId} cannot be split: it reads no records`
      : `batch ${batchId} cannot be split: it reads only ${only.topic}-${only.partition} offset ${only.from}`
  const { code, message, publicMessage } = error
  return new EngineError(code, `${what}: ${message}`, error, `${what}: ${publicMessage}`)
}

/** Continues the count from the newest commit. */
function countOf({ offsetLog, commitLog }: BatchLoopOptions): RecordCount {
  const commit = commitLog.latestCommit()
  if (commit === undefined) return new RecordCount(0)
  const total = commit.recordsTotal ?? offsetLog.get(commit.batchId)?.recordsTotal ?? 0
  const uncounted = (commit.uncounted ?? []).map((batchId) => offsetLog.get(batchId))
  return new RecordCount(
    total,
    uncounted.filter((batch) => batch !== undefined),
  )
}
