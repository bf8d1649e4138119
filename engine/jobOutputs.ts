// Runs the outputs of a job for one batch after another: functions of foreachRDD, and views, whose rows
// it collects when they may have changed.

import { type Clock, sleep } from '../protocol/runtime/clock.ts'
import { LastingCondition } from '../protocol/telemetry/lastingCondition.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import { maxViewRows } from '../protocol/telemetry/status.ts'
import { EngineError } from './engineError.ts'
import type { ViewRows } from './jobStatus.ts'
import type { Rdd } from './rdd/rdd.ts'
import type { BatchAttempt } from './scheduler/batchLoop.ts'
import type { Driver } from './scheduler/driver.ts'
import type { BatchInfo } from './stream/batchHistory.ts'
import type { Output } from './stream/dstream.ts'
import { viewRows } from './stream/view.ts'
import { failedIn } from './userCode.ts'
import { ViewSchedule } from './viewSchedule.ts'

type Foreach = Extract<Output, { kind: 'foreachRDD' }>
type View = Extract<Output, { kind: 'view' }>

/** Between calls of a function of foreachRDD that fails. */
const firstPauseMs = 100
const longestPauseMs = 5000

export class JobOutputs {
  readonly #driver: Driver
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #views = new ViewSchedule()
  /** Views that could not show all of their rows; logged once for each. */
  readonly #incomplete = new Set<string>()
  /** Functions of foreachRDD that failed and are called again, with why. */
  readonly #failing = new Map<Foreach, string>()

  constructor(driver: Driver, logger: Logger, clock: Clock) {
    this.#driver = driver
    this.#logger = logger
    this.#clock = clock
  }

  /** What fails and is tried again now. */
  get failing(): string | undefined {
    return this.#failing.values().next().value
  }

  /**
   * Returns the rows of the views that are due in the batch, by view. `changed` says, once all states have
   * advanced to the batch, which batch has changed the state of each operator last. Fails with what fails
   * first, `changed` included.
   */
  async run(
    batch: BatchInfo,
    attempt: BatchAttempt,
    changed: Promise<ReadonlyMap<number, number>>,
  ): Promise<ReadonlyMap<string, ViewRows>> {
    const rows = new Map<string, ViewRows>()
    // All at once, so that states and outputs of the same stream share one pass over its records.
    const outputs = this.#driver.graph.outputs.map(async (output) => {
      const rdd = this.#driver.graph.rdd<unknown>(output.stream, batch.batchId)
      if (!rdd) return
      if (output.kind === 'view') {
        const viewed = await this.#viewOf(output, rdd, batch, changed)
        if (viewed) rows.set(output.name, viewed)
        return
      }
      // Whatever makes the batch too large shows by then, and it can still be split.
      await changed
      attempt.outputBegins()
      await this.#runForeach(output, rdd, batch)
    })
    await Promise.all([changed, ...outputs])
    await this.#driver.idle()
    return rows
  }

  /** Undefined for a view that is not due. */
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
        : 'the view leaves out values that are not finite numbers'
      const job = this.#driver.graph.name
      this.#logger.warn({ job, view, rows: rows.length, key: unshown }, what)
    }
    return rows
  }

  /** A function that throws is called again for as long as its job says. */
  async #runForeach(output: Foreach, rdd: Rdd<unknown>, batch: BatchInfo): Promise<void> {
    const fields = { job: this.#driver.graph.name, batchId: batch.batchId }
    const over = 'foreachRDD succeeded again'
    const fails = new LastingCondition({ logger: this.#logger, clock: this.#clock, over })
    try {
      await this.#retry(output, rdd, batch, (reason) => {
        this.#failing.set(output, reason)
        const { retryForMs } = output
        fails.met({ ...fields, retryForMs, reason }, 'foreachRDD failed; retried')
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
    failed: (reason: string) => void,
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
        failed(failure.message)
        await sleep(this.#clock, Math.min(pauseMs, leftMs))
        if (this.#driver.isStopped) throw failure
      }
    }
  }
}
