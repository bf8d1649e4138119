// The exposition of a job's metrics. The figures come from the driver's thread, which the job's
// code may block: a scrape waits for it briefly, and then reports that the driver does not answer.
// It must never repeat stale figures.

import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import type { JobFigures } from './jobFigures.ts'
import { driverUpMetric, readMetrics } from './jobMetricTable.ts'

/**
 * Exposes what `figures` returns at each scrape; while it returns undefined, only that the driver
 * does not answer. Returns a function that removes the metrics.
 */
export function exposeJob(metrics: Metrics, figures: () => JobFigures | undefined): () => void {
  const ends = [
    metrics.collected(driverUpMetric, (sample) => sample('', Number(figures() !== undefined))),
    ...readMetrics.map((metric) => {
      const { read, readHistogram } = metric
      if (readHistogram !== undefined) {
        return metrics.collectedHistogram(metric, (write) => {
          const job = figures()
          if (job !== undefined) readHistogram(job, write)
        })
      }
      return metrics.collected(metric, (sample) => {
        const job = figures()
        if (job !== undefined) read?.(job, sample)
      })
    }),
  ]
  return () => {
    for (const end of ends) end()
  }
}

/**
 * The metrics of a job in another thread: `figures` is called at each scrape, and its rejection
 * does not fail the scrape. Exposes all other metrics in `metrics` as well.
 */
export class JobExposition {
  readonly #metrics: Metrics
  readonly #ask: () => Promise<JobFigures>
  #figures: JobFigures | undefined
  /** Concurrent scrapes share one call. */
  #asking: Promise<void> | undefined

  constructor(metrics: Metrics, figures: () => Promise<JobFigures>) {
    this.#metrics = metrics
    this.#ask = figures
    exposeJob(metrics, () => this.#figures)
  }

  get contentType(): string {
    return this.#metrics.contentType
  }

  async expose(): Promise<string> {
    return (await this.exposeBytes()).toString()
  }

  async exposeBytes(): Promise<Buffer> {
    this.#asking ??= this.#update().finally(() => {
      this.#asking = undefined
    })
    await this.#asking
    return await this.#metrics.exposeBytes()
  }

  async #update(): Promise<void> {
    try {
      this.#figures = await this.#ask()
    } catch {
      this.#figures = undefined
    }
  }
}
