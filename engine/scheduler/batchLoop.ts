// Runs a job's batches, one after another. The order of the durable steps is what makes every record count
// once: the offsets go into the offset log before the batch reads them, its state is written while it runs,
// and the commit log has it last. A crash anywhere leads back to the batch that is planned and not committed,
// which then runs again with the same offsets.
//
// A batch that proves too large before any of its outputs has begun is planned again with half of its
// offsets, under the same id, time and watermarks: nobody has seen anything of it yet. A batch whose topics have
// lost what it was to read is planned again from where they go on.

import type { Isolation } from '../../protocol/client/isolation.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { OperatorContract, WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { TaskReport } from '../executor/task.ts'
import { hasLost } from '../sources/lostOffsets.ts'
import { RejectedRecords } from '../sources/rejectedRecords.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { BatchAccount } from './batchAccount.ts'
import { type BatchDecision, BatchScheduler } from './batchScheduler.ts'
import { halved, isTooLarge } from './batchSplit.ts'
import { offsetsIn, type PartitionEnds, planRanges, requireMayCut, startsOf } from './rangePlan.ts'
import type { RateLimits } from './rateLimits.ts'
import { RecordCount } from './recordCount.ts'
import { mergeEventTimes, planWatermarks } from './watermarkPlan.ts'

export interface BatchLoopOptions {
  readonly clock: Clock
  readonly batchIntervalMs: number
  readonly limits: RateLimits
  /** With which the topics are read; part of each batch that is planned. */
  readonly isolation?: Isolation
  /** Part of each batch that is planned, as the next three. */
  readonly code?: string | undefined
  readonly operators?: readonly OperatorContract[] | undefined
  readonly watermarks?: readonly WatermarkSpec[] | undefined
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /**
   * After so long a batch is broken off and tried with fewer offsets, unless an output has begun. No limit
   * unless given: a batch may also wait for a broker, and splitting it would not help.
   */
  readonly maxBatchTimeMs?: number | undefined
  /**
   * Whether a batch that an earlier process has planned may be split. Not when the job has outputs or dead
   * letters beside its views: they may have been written already.
   */
  readonly canSplitRerun?: boolean
  /**
   * The topics as they are now, for a job that has read up to the ends of `read`; undefined when they cannot be
   * asked and the batch has to wait.
   */
  ends(read: readonly OffsetRange[]): Promise<readonly PartitionEnds[] | undefined>
  /**
   * Has batches before this one, which windows read again, read no more than the logs still have, where their
   * topics say so (onLost). Returns false when nothing of them is lost, or may be.
   */
  forgetLost?(batch: OffsetLogEntry, ends: readonly PartitionEnds[]): boolean
  /** May add to a batch before it becomes durable. */
  beforePlanned?(batch: OffsetLogEntry): Promise<OffsetLogEntry>
  /**
   * Runs all outputs of the batch. Called again for the same id after a restart, and with fewer offsets after
   * the batch was split.
   */
  run(batch: OffsetLogEntry, attempt: BatchAttempt): Promise<void>
  /** Fails what runs of the batch with the error, and resolves when nothing of it runs any more. */
  breakOff?(error: EngineError): Promise<void>
  /** Uids of the operators whose state the batch has changed, or might have. */
  advanced?(batchId: number): readonly string[]
  /** The batch has run; what it has rejected has to be durable before it is committed. */
  beforeCommit?(batch: OffsetLogEntry, account: BatchAccount): Promise<void>
  /** The oldest batch that windows still reach. */
  oldestRemembered(): number
  onCommitted(batch: OffsetLogEntry, done: CommittedBatch): void
  /** The batch is run again with fewer offsets because of the error. */
  onSplit?(batch: OffsetLogEntry, smaller: OffsetLogEntry, error: EngineError): void
}

export interface CommittedBatch {
  readonly startedMs: number
  /** As far as tasks have read it. */
  readonly records: number
  /** Records of all batches that are counted, since the job first started. */
  readonly recordsTotal: number
  /** The smallest record timestamp that tasks met; undefined when they met none. */
  readonly oldestTimestampMs: number | undefined
  /** Time for the batch's entries in the offset log and the commit log. */
  readonly checkpointMs: number
}

/** One run of a batch. */
export interface BatchAttempt {
  /**
   * Must be called before anything of the batch is shown outside, such as a function of foreachRDD: from then
   * on the batch keeps its offsets. Throws when the attempt was given up before.
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

  /** False when an output has begun. */
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
  /** Counts the job's records. */
  readonly counts: RecordCount
  readonly #options: BatchLoopOptions
  readonly #scheduler: BatchScheduler
  readonly #stopping = new AbortController()
  readonly #rejected = new RejectedRecords()
  #attempt: Attempt | undefined
  /** As of the newest commit of this process. */
  #oldestRemembered = -1
  #isAbandoned = false
  /** Of `between`; a caller that does not wait for its own bounds their number. */
  readonly #visits: Visit[] = []
  /** Ends the pause before the next batch. */
  #woken = new AbortController()
  #hasEnded = false
  /** Of the batch that runs: time for its entries in the offset log. */
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

  /** Must be called for each task of the batch that runs, when it has finished and its result counts. */
  taskFinished(report: TaskReport): void {
    for (const read of report.ranges) this.counts.rangeRead(read)
    this.#attempt?.account.taskFinished(report)
  }

  /** Resolves after `stop`, when the batch that was running is committed; rejects when one fails. */
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

  /** Runs `visit` while no batch does, before the next one is planned. Fails when the loop ends before. */
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

  /** Stops, and does not commit the batch that runs: `run` rejects when that has ended. */
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

  /** The batch as it came to its end, and its last attempt. */
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
      `batch ${batchId} with ${offsetsIn(ranges)} offsets took longer than ${maxBatchTimeMs} ms: let it read ` +
      'fewer records, or raise the limit (maxBatchTimeMs)'
    void this.#options.breakOff?.(new EngineError('BATCH_TIMED_OUT', message))
  }

  /** The batch with half of its offsets. Throws the error again where that is not possible or no help. */
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
   * A batch of an earlier process, as it can still run. Looked at before it does: an output begins before its
   * tasks find what is lost, and would keep the batch as it is in every process to come. Undefined when the loop
   * is stopped before the topics are there.
   */
  async #plannedBefore(batch: OffsetLogEntry): Promise<OffsetLogEntry | undefined> {
    const left = await this.#leftOf(batch)
    if (left === undefined) return undefined
    this.#options.forgetLost?.(batch, left.ends)
    if (left.batch !== batch) await this.#options.offsetLog.supersede(left.batch)
    return left.batch
  }

  /**
   * What is to run after topics have lost what the batch was to read: the batch planned anew from where it
   * began or, where a window reads batches before it again, the batch itself without those records. An earlier
   * process may have shown something of it: to run it again as it was has become impossible, and whether the
   * job goes on is what its topics say (onLost). Throws OFFSETS_LOST where they do not.
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
   * The batch planned anew where logs lack something of it, or itself. Undefined when the loop is stopped before
   * the topics are there. Throws OFFSETS_LOST when something is lost and its topic does not say where to go on.
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

  /** Resolves when nothing of the attempt runs any more. Throws the error when an output has begun. */
  async #giveUp(attempt: Attempt, error: EngineError): Promise<void> {
    if (!attempt.giveUp()) throw error
    await this.#options.breakOff?.(error)
    if (this.#isAbandoned) throw brokenOff(attempt.account.batchId)
  }

  #canSplit(isRerun: boolean): boolean {
    return !isRerun || this.#options.canSplitRerun === true
  }

  /** Undefined when the loop is stopped before the topics are there. */
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

  /** Undefined when the loop is stopped before the topics are there. */
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
      // Also those of watermarks that the code of now has not: should they come back, they do not go back.
      ...((specs.length > 0 || Object.keys(planned).length > 0) && { watermarks: planned }),
      ...(code !== undefined && { code }),
      ...(operators !== undefined && { operators }),
    }
  }
}

function beingStopped(): EngineError {
  return new EngineError('EXECUTOR_FAILED', 'the job is being stopped')
}

function brokenOff(batchId: number): EngineError {
  return new EngineError('EXECUTOR_FAILED', `batch ${batchId} was broken off by a stop of the job`)
}

function isLost(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'OFFSETS_LOST'
}

/** Of a batch whose own records are there. */
function lostBefore({ batchId }: OffsetLogEntry, error: EngineError): EngineError {
  const what = `a window of batch ${batchId} reads again what batches before it have read, and some of it is gone`
  const { code, message, publicMessage } = error
  return new EngineError(code, `${what}: ${message}`, error, `${what}: ${publicMessage}`)
}

/** Of a batch that is not split: a smaller one might contradict what was shown of it. */
function mayBeShown({ batchId }: OffsetLogEntry, error: EngineError): EngineError {
  const what = `batch ${batchId} was planned by an earlier process, which may have shown some of it, and keeps its offsets`
  const smaller =
    'smaller batches (maxRecordsPerPartition, spark.streaming.kafka.maxRatePerPartition)'
  const wayOut =
    batchId === 0
      ? `Lift the bound, or begin anew in another directory with ${smaller}`
      : `Lift the bound, or take the job back (\`millrace job rewind --to-batch ${batchId - 1}\`) and start it with ${smaller}`
  const { code, message, publicMessage } = error
  const explained = (text: string) => `${what}: ${text}. ${wayOut}`
  return new EngineError(code, explained(message), error, explained(publicMessage))
}

function cannotSplit({ batchId, ranges }: OffsetLogEntry, error: EngineError): EngineError {
  const only = ranges.find(({ from, until }) => until > from)
  assert(offsetsIn(ranges) <= 1, 'a batch of more than one offset can be split')
  const what =
    only === undefined
      ? `batch ${batchId} reads no record, and cannot be made smaller`
      : `batch ${batchId} has only ${only.topic}-${only.partition} offset ${only.from} left, and cannot be made smaller`
  const { code, message, publicMessage } = error
  return new EngineError(code, `${what}: ${message}`, error, `${what}: ${publicMessage}`)
}

/** Goes on counting where the logs say that the job stopped. */
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
