// Counters, gauges and histograms of one program, in its own registry. There is no global registry:
// two programs in one process have separate metrics. Requesting a metric twice returns the same
// one, so that components need not know of one another.
// Must never block or fail the work that is measured.

import type * as prometheus from 'prom-client'
import { assert } from '../../runtime/assert.ts'
import { type Scheduler, systemScheduler } from '../../runtime/scheduling/scheduler.ts'
import type { Distribution } from './distribution.ts'
import { Exposition } from './exposition.ts'
import type { MetricSpec } from './metricSpec.ts'
import { Counter, Gauge, Histogram, Registry } from './promClient.ts'

export type { Counter } from 'prom-client'
export { Distribution } from './distribution.ts'
export { labelText } from './exposition.ts'

/**
 * Name and labels of a metric. Names are `millrace_<component>_<what>_<unit>`; counters end in
 * `_total`.
 */
export interface MetricOptions<Label extends string> {
  readonly name: string
  readonly help: string
  /** Label values must come from a bounded set (a topic, a component; never a key or a user). */
  readonly labels?: readonly Label[]
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[]
}

/** Bounds in seconds from 100 microseconds to a minute, for latencies. */
export const latencyBucketsSeconds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  30, 60,
]

/** Writes one sample of a family. `labels` comes from `labelText`. */
export type SampleWriter = (labels: string, value: number) => void

/** Writes `samples` samples as formatted lines, including the family name and line feeds. */
export type BlockWriter = (lines: string, samples: number) => void

/** Writes one histogram of a family. */
export type DistributionWriter = (labels: string, distribution: Distribution) => void

interface CollectedFamily {
  readonly spec: MetricSpec
  readonly write: (exposition: Exposition) => void
}

/** Number of samples after which other work gets a turn: a few ms. */
const samplesPerTurn = 5_000

export class Metrics {
  readonly #registry: prometheus.Registry
  readonly #readers = new Set<() => void | Promise<void>>()
  readonly #collected = new Map<string, CollectedFamily>()
  readonly #scheduler: Pick<Scheduler, 'nextTurn'>
  #exposing: Promise<Buffer> | undefined

  constructor(
    registry: prometheus.Registry = new Registry(),
    scheduler: Pick<Scheduler, 'nextTurn'> = systemScheduler,
  ) {
    this.#registry = registry
    this.#scheduler = scheduler
  }

  /**
   * A count that only increases. On hot paths keep the result of `labels(…)`, which avoids the
   * lookup.
   */
  counter<Label extends string = never>(options: MetricOptions<Label>): prometheus.Counter<Label> {
    const known = this.#known(options.name, Counter<Label>)
    return known ?? new Counter(this.#configuration(options))
  }

  /** A value that increases and decreases. */
  gauge<Label extends string = never>(options: MetricOptions<Label>): prometheus.Gauge<Label> {
    const known = this.#known(options.name, Gauge<Label>)
    return known ?? new Gauge(this.#configuration(options))
  }

  /** A distribution over fixed buckets. */
  histogram<Label extends string = never>(
    options: HistogramOptions<Label>,
  ): prometheus.Histogram<Label> {
    const known = this.#known(options.name, Histogram<Label>)
    if (known) return known
    const buckets = [...options.buckets]
    return new Histogram({ ...this.#configuration(options), buckets })
  }

  /**
   * Registers a family whose samples are read only at an exposition and written directly: for the
   * tens of thousands of samples of partitions, and for counters that hot paths keep in plain
   * fields. The caller caches label texts if there are many. Fails if the name is taken. Returns a
   * function that removes the family.
   */
  collected(
    spec: MetricSpec,
    read: (sample: SampleWriter, block: BlockWriter) => void,
  ): () => void {
    assert(spec.type !== 'histogram', `${spec.name} has distributions, not samples`)
    return this.#collect({ spec, write: ({ sample, block }) => read(sample, block) })
  }

  /** Registers a histogram in the same way. */
  collectedHistogram(spec: MetricSpec, read: (write: DistributionWriter) => void): () => void {
    assert(spec.type === 'histogram', `${spec.name} is a ${spec.type}`)
    return this.#collect({ spec, write: ({ distribution }) => read(distribution) })
  }

  #collect(family: CollectedFamily): () => void {
    const { name } = family.spec
    const isTaken = this.#collected.has(name) || this.#registry.getSingleMetric(name) !== undefined
    assert(!isTaken, `metric ${name} is already registered`)
    this.#collected.set(name, family)
    return () => {
      if (this.#collected.get(name) === family) this.#collected.delete(name)
    }
  }

  /**
   * Calls `read` before each exposition, to set gauges that are cheaper to read then than to update
   * continuously, such as queue lengths. The exposition waits for a returned promise, which must
   * resolve soon. Returns a function that removes the reader.
   */
  onExpose(read: () => void | Promise<void>): () => void {
    this.#readers.add(read)
    return () => this.#readers.delete(read)
  }

  /** Returns all metrics in Prometheus' text format (`contentType`). */
  async expose(): Promise<string> {
    return (await this.exposeBytes()).toString()
  }

  /** The same as UTF-8. Concurrent callers share one exposition. */
  exposeBytes(): Promise<Buffer> {
    this.#exposing ??= this.#expose().finally(() => {
      this.#exposing = undefined
    })
    return this.#exposing
  }

  async #expose(): Promise<Buffer> {
    await Promise.all([...this.#readers].map((read) => read()))
    const exposition = new Exposition()
    // prom-client writes blank lines between families, and one if there are none.
    const registered = await this.#registry.metrics()
    if (registered.trim() !== '') exposition.text(registered.replaceAll(/\n+/g, '\n'))
    let turnAt = samplesPerTurn
    for (const family of [...this.#collected.values()]) {
      // The family may have been removed, and others added, in another turn.
      if (this.#collected.get(family.spec.name) !== family) continue
      exposition.family(family.spec)
      family.write(exposition)
      if (exposition.samples < turnAt) continue
      turnAt = exposition.samples + samplesPerTurn
      await this.#scheduler.nextTurn()
    }
    return exposition.end()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  #known<M>(name: string, kind: abstract new (...args: never[]) => M): M | undefined {
    assert(!this.#collected.has(name), `metric ${name} is already registered`)
    const metric: unknown = this.#registry.getSingleMetric(name)
    if (metric === undefined) return undefined
    assert(metric instanceof kind, `metric ${name} is already registered as another kind`)
    return metric
  }

  #configuration<Label extends string>(options: MetricOptions<Label>) {
    const { name, help, labels = [] } = options
    return { name, help, labelNames: labels, registers: [this.#registry] }
  }
}
