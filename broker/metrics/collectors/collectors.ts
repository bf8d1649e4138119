// The metric families that one broker has registered, so that they are removed together.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import type {
  BlockWriter,
  DistributionWriter,
  Metrics,
  SampleWriter,
} from '../../../protocol/telemetry/metrics/metrics.ts'

export class Collectors {
  readonly #metrics: Metrics
  readonly #ends: (() => void)[] = []

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** Calls `read` for the samples of a counter or a gauge at each exposition. */
  samples(spec: MetricSpec, read: (sample: SampleWriter, block: BlockWriter) => void): void {
    this.#ends.push(this.#metrics.collected(spec, read))
  }

  /** Registers a family with one sample and no labels. */
  value(spec: MetricSpec, read: () => number): void {
    this.samples(spec, (sample) => sample('', read()))
  }

  histograms(spec: MetricSpec, read: (write: DistributionWriter) => void): void {
    this.#ends.push(this.#metrics.collectedHistogram(spec, read))
  }

  /** Calls `read` before the families are read. */
  before(read: () => void | Promise<void>): void {
    this.#ends.push(this.#metrics.onExpose(read))
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end()
  }
}

/**
 * Label texts for one label, cached by value. Never evicted: only for values from a table that does
 * not grow.
 */
export class LabelTexts {
  readonly #make: (value: string) => string
  readonly #texts = new Map<string, string>()

  constructor(make: (value: string) => string) {
    this.#make = make
  }

  of(value: string): string {
    let text = this.#texts.get(value)
    if (text === undefined) {
      text = this.#make(value)
      this.#texts.set(value, text)
    }
    return text
  }
}
