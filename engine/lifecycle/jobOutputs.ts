// Runs the outputs of a job, batch by batch: functions of foreachRDD, and views, whose rows are
// collected when they may have changed. It must never call a function of foreachRDD before its
// attempt was marked with `outputBegins`.

import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { maxViewRows } from '../../protocol/telemetry/status/status.ts'
import { EngineError } from '../engineError.ts'
import type { Rdd } from '../rdd/rdd.ts'
import type { BatchAttempt } from '../scheduler/batchLoop.ts'
import type { Driver } from '../scheduler/driver.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import type { Output } from '../stream/streamPlan.ts'
import { viewRows } from '../stream/view.ts'
import { failedIn } from '../userCode.ts'
import type { ViewRows } from './jobStatus.ts'
import { ViewSchedule } from './viewSchedule.ts'

type Foreach = Extract<Output, { kind: 'foreachRDD' }>
type View = Extract<Output, { kind: 'view' }>

/** Pauses between retries of a function of foreachRDD. */
const firstPauseMs = 100
const longestPauseMs = 5000

export class JobOutputs {
  readonly #driver: Driver
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #views = new ViewSchedule()
  /** Views that could not show all of their rows; logged once each. */
  readonly #incomplete = new Set<string>()
  /** Functions of foreachRDD that are being retried, with the reason. */
  readonly #failing = new Map<Foreach, string>()

  constructor(driver: Driver, logger: Logger, clock: Clock) {
    this.#driver = driver
    this.#logger = logger
    this.#clock = clock
  }

  /** The error of a function that is being retried. */
  get failing(): string | undefined {
    return this.#failing.values().next().value
  }

  /**
   * Returns the rows of the views that are due in the batch, by view. `changed` resolves once all
   * states have advanced to the batch, with the newest batch that changed each operator's state.
   * Rejects with the first error, including that of `changed`.
   */
  async run(
    batch: BatchInfo,
    attempt: BatchAttempt,
    changed: Promise<ReadonlyMap<number, number>>,
  ): Promise<ReadonlyMap<string, ViewRows>> {
    const rows = new Map<string, ViewRows>()
    // Concurrently, so that states and outputs of the same stream share one pass over its records.
    const outputs = this.#driver.graph.outputs.map(async (output) => {
      const rdd = this.#driver.graph.rdd<unknown>(output.stream, batch.batchId)
      if (!rdd) return
      if (output.kind === 'view') {
        const viewed = await this.#viewOf(output, rdd, batch, changed)
        if (viewed) rows.set(output.name, viewed)
        return
      }
      // A batch can be split only before an output begins; by now the states have advanced, so
      // the batch is not too large.
      await changed
      attempt.outputBegins()
      await this.#runForeach(output, rdd, batch)
    })
    await Promise.all([changed, ...outputs])
    await this.#driver.idle()
    return rows
  }

  /** Returns undefined for a view that is not due. */
  async #viewOf(
    { name, stream }: View,
    rdd: Rdd<unknown>,
    batch: BatchInfo,
    changed: Promise<ReadonlyMap<number, number>>,
  ): Promise<ViewRows | undefined> {
    if (this.#views.isOfStates(stream)) {
      const turn = { batchId: batch.batchId, changed: await changed }
      const nowMs = this.#clock.monotonicMs()
      if (!this.#views.isDue(name, stream, { ...turn, nowMs })) return undefined
    }
    return await this.#rowsOf(name, rdd, batch)
  }

  async #rowsOf(view: string, rdd: Rdd<unknown>, { batchId }: BatchInfo): Promise<ViewRows> {
    const startedMs = this.#clock.monotonicMs()
    const elements = await rdd.collect()
    const { rows, unshown } = viewRows(view, elements)
    const nowMs = this.#clock.monotonicMs()
    this.#views.collected(view, batchId, elements.length, nowMs - startedMs, nowMs)
    const isCut = rows.length > maxViewRows
    if ((unshown !== undefined || isCut) && !this.#incomplete.has(view)) {
      this.#incomplete.add(view)
      const what = isCut
        ? `the view shows its first ${maxViewRows} rows, in the order of their keys`
        : 'the view omits values that are not finite numbers'
      const job = this.#driver.graph.name
      this.#logger.warn({ job, view, rows: rows.length, key: unshown }, what)
    }
    return rows
  }

  /** Retries a function that throws, for the time that its job allows. */
  async #runForeach(output: Foreach, rdd: Rdd<unknown>, batch: BatchInfo): Promise<void> {
    const fields = { job: this.#driver.graph.name, batchId: batch.batchId }
    const over = 'foreachRDD succeeded again'
    const fails = new LastingCondition({ logger: this.#logger, clock: this.#clock, over })
    try {
      await this.#retry(output, rdd, batch, (reason) => {
        this.#failing.set(output, reason)
        const { retryForMs } = output
        fails.met({ ...fields, retryForMs, reason }, 'foreachRDD failed; retrying')
      })
      fails.over(fields)
    } finally {
      this.#failing.delete(output)
    }
  }

  async #retry(
    output: Foreach,
    rdd: Rdd<unknown>,
    batch: BatchInfo,
    onFailed: (reason: string) => void,
  ): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + output.retryForMs
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        return await output.run(rdd, batch)
      } catch (error) {
        if (error instanceof EngineError) throw error
        const job = this.#driver.graph.name
        const failure = failedIn(`job '${job}', batch ${batch.batchId}: foreachRDD`, error)
        const leftMs = deadlineMs - this.#clock.monotonicMs()
        if (leftMs <= 0 || this.#driver.isStopped) throw failure
        onFailed(failure.message)
        await sleep(this.#clock, Math.min(pauseMs, leftMs))
        if (this.#driver.isStopped) throw failure
      }
    }
  }
}
