// Runs a job's batches, one after another. The order of the durable steps is what makes every
// record count once: the offsets go into the offset log before the batch reads them, its state is
// written while it runs, and the commit log has it last. A crash anywhere leads back to the batch
// that is planned and not committed, which then runs again with the same offsets.

import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { type BatchDecision, BatchScheduler } from './batchScheduler.ts'
import { type PartitionEnds, planRanges, recordsIn } from './rangePlan.ts'

export interface BatchLoopOptions {
  readonly clock: Clock
  readonly batchIntervalMs: number
  readonly maxRecordsPerPartition: number
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /** The topics as they are now; undefined when they cannot be asked and the batch has to wait. */
  ends(): Promise<readonly PartitionEnds[] | undefined>
  /** Runs all outputs of the batch. Called again for the same batch only after a restart. */
  run(batch: OffsetLogEntry): Promise<void>
  /** The oldest batch that windows still reach. */
  oldestRemembered(): number
  onCommitted(batch: OffsetLogEntry, startedMs: number): void
}

export class BatchLoop {
  readonly #options: BatchLoopOptions
  readonly #scheduler: BatchScheduler
  readonly #stopping = new AbortController()

  constructor(options: BatchLoopOptions) {
    this.#options = options
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

  async #runBatch(decision: Extract<BatchDecision, { kind: 'rerun' | 'plan' }>): Promise<void> {
    const { clock, commitLog, offsetLog, run, oldestRemembered, onCommitted } = this.#options
    const startedMs = clock.nowMs()
    const batch =
      decision.kind === 'rerun' ? (decision.batch as OffsetLogEntry) : await this.#plan(decision)
    if (batch === undefined) return
    await run(batch)
    await commitLog.commit(batch.batchId)
    this.#scheduler.finished(batch)
    await offsetLog.prune(oldestRemembered())
    onCommitted(batch, startedMs)
  }

  /** Undefined when the loop is stopped before the topics are there. */
  async #plan(planned: Pick<BatchInfo, 'batchId' | 'timeMs'>): Promise<OffsetLogEntry | undefined> {
    const { clock, offsetLog, maxRecordsPerPartition, batchIntervalMs } = this.#options
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
    const previous = offsetLog.latest()
    const ranges = planRanges(ends, previous?.ranges ?? [], maxRecordsPerPartition)
    const recordsTotal = (previous?.recordsTotal ?? 0) + recordsIn(ranges)
    const batch = { batchId: planned.batchId, timeMs: planned.timeMs, ranges, recordsTotal }
    await offsetLog.append(batch)
    return batch
  }
}
