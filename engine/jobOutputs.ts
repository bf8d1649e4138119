// Runs the outputs of a job for one batch after another: functions of foreachRDD, and views, whose rows
// it collects.

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

type Foreach = Extract<Output, { kind: 'foreachRDD' }>

export class JobOutputs {
  readonly #driver: Driver
  readonly #logger: Logger
  /** Views that could not show all of their rows; logged once for each. */
  readonly #incomplete = new Set<string>()

  constructor(driver: Driver, logger: Logger) {
    this.#driver = driver
    this.#logger = logger
  }

  /** The rows of the views that are due in the batch, by view. Fails with what fails first. */
  async run(batch: BatchInfo, attempt: BatchAttempt): Promise<ReadonlyMap<string, ViewRows>> {
    const rows = new Map<string, ViewRows>()
    // All at once, so that outputs of the same stream share one pass over its records.
    await Promise.all(
      this.#driver.graph.outputs.map(async (output) => {
        const rdd = this.#driver.graph.rdd<unknown>(output.stream, batch.batchId)
        if (!rdd) return
        if (output.kind === 'foreachRDD') {
          attempt.outputBegins()
          await this.#runForeach(output, rdd, batch)
        } else rows.set(output.name, await this.#rowsOf(output.name, rdd))
      }),
    )
    await this.#driver.idle()
    return rows
  }

  async #rowsOf(view: string, rdd: Rdd<unknown>): Promise<ViewRows> {
    const { rows, unshown } = viewRows(view, await rdd.collect())
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

  async #runForeach(output: Foreach, rdd: Rdd<unknown>, batch: BatchInfo): Promise<void> {
    try {
      await output.run(rdd, batch)
    } catch (error) {
      if (error instanceof EngineError) throw error
      const job = this.#driver.graph.name
      throw failedIn(`job '${job}', batch ${batch.batchId}: foreachRDD`, error)
    }
  }
}
