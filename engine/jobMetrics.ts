// The exposition of a job's metrics. The figures come from the driver's thread, which the job's code may hold
// for long: a scrape waits for it for a moment only, and then says that the driver does not answer instead of
// repeating what it said before.

import type { Metrics } from '../protocol/telemetry/metrics.ts'
import type { JobFigures } from './jobFigures.ts'
import { driverUpMetric, readMetrics } from './jobMetricTable.ts'

/**
 * Exposes what `figures` returns at each scrape; only that the driver does not answer while it returns
 * undefined. Returns what ends that.
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
 * The metrics of a job that runs in another thread: `figures` is asked at each scrape, and a job that does
 * not answer (a rejection) fails none. Everything else in `metrics` is exposed along.
 */
export class JobExposition {
  readonly #metrics: Metrics
  readonly #ask: () => Promise<JobFigures>
  #figures: JobFigures | undefined
  /** Scrapes that come together ask once. */
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
