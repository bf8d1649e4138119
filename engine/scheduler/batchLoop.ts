// Runs a job's batches, one after another. The order of the durable steps is what makes every
// record count once: the offsets go into the offset log before the batch reads them, its state is
// written while it runs, and the commit log has it last. A crash anywhere leads back to the batch
// that is planned and not committed, which then runs again with the same offsets.

import type { Isolation } from '../../protocol/client/partitionReader.ts'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { type BatchDecision, BatchScheduler } from './batchScheduler.ts'
import { type PartitionEnds, planRanges } from './rangePlan.ts'
import { RecordCount } from './recordCount.ts'

export interface BatchLoopOptions {
  readonly clock: Clock
  readonly batchIntervalMs: number
  readonly maxRecordsPerPartition: number
  /** With which the topics are read; part of each batch that is planned. */
  readonly isolation?: Isolation
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /** The topics as they are now; undefined when they cannot be asked and the batch has to wait. */
  ends(): Promise<readonly PartitionEnds[] | undefined>
  /** Runs all outputs of the batch. Called again for the same batch only after a restart. */
  run(batch: OffsetLogEntry): Promise<void>
  /** The oldest batch that windows still reach. */
  oldestRemembered(): number
  onCommitted(batch: OffsetLogEntry, done: CommittedBatch): void
}

export interface CommittedBatch {
  readonly startedMs: number
  /** As far as tasks have read it. */
  readonly records: number
  /** Records of all batches that are counted, since the job first started. */
  readonly recordsTotal: number
}

export class BatchLoop {
  /** Counts the job's records. `rangeRead` must be called for each range that a task has read to its end. */
  readonly counts: RecordCount
  readonly #options: BatchLoopOptions
  readonly #scheduler: BatchScheduler
  readonly #stopping = new AbortController()
  #isAbandoned = false

  constructor(options: BatchLoopOptions) {
    this.#options = options
    this.counts = countOf(options)
    this.#scheduler = new BatchScheduler({
      batchIntervalMs: options.batchIntervalMs,
      planned: options.offsetLog.latest(),
      committedBatchId: options.commitLog.latest(),
    })
  }

  /** Resolves after `stop`, when the batch that was running is committed; rejects when one fails. */
  async run(): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const decision = this.#scheduler.next(clock.nowMs())
      if (decision.kind === 'stop') return
      if (decision.kind === 'wait') await sleep(clock, decision.delayMs, this.#stopping.signal)
      else await this.#runBatch(decision)
    }
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

  async #runBatch(decision: Extract<BatchDecision, { kind: 'rerun' | 'plan' }>): Promise<void> {
    const { clock, commitLog, offsetLog, run, oldestRemembered, onCommitted } = this.#options
    const startedMs = clock.nowMs()
    const batch =
      decision.kind === 'rerun' ? (decision.batch as OffsetLogEntry) : await this.#plan(decision)
    if (batch === undefined) return
    this.counts.begin(batch)
    await run(batch)
    if (this.#isAbandoned) throw brokenOff(batch.batchId)
    const records = this.counts.recordsIn(batch.batchId)
    const counted = this.counts.commit(oldestRemembered())
    await commitLog.commit(batch.batchId, counted)
    this.#scheduler.finished(batch)
    await offsetLog.prune(oldestRemembered())
    onCommitted(batch, { startedMs, records, recordsTotal: counted.recordsTotal })
  }

  /** Undefined when the loop is stopped before the topics are there. */
  async #plan(planned: Pick<BatchInfo, 'batchId' | 'timeMs'>): Promise<OffsetLogEntry | undefined> {
    const { clock, offsetLog, maxRecordsPerPartition, batchIntervalMs, isolation } = this.#options
    const { signal } = this.#stopping
    let ends = await this.#options.ends()
    while (ends === undefined && !signal.aborted) {
      await sleep(clock, batchIntervalMs, signal)
      if (!signal.aborted) ends = await this.#options.ends()
    }
    if (ends === undefined || signal.aborted) {
      this.#scheduler.abandoned()
      return undefined
    }
    const previous = offsetLog.latest()?.ranges ?? []
    const ranges = planRanges(ends, previous, maxRecordsPerPartition, isolation)
    const batch = { batchId: planned.batchId, timeMs: planned.timeMs, ranges }
    await offsetLog.append(batch)
    return batch
  }
}

function brokenOff(batchId: number): EngineError {
  return new EngineError('EXECUTOR_FAILED', `batch ${batchId} was broken off by a stop of the job`)
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
