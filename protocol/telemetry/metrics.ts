// Counters, gauges and histograms of one program, in the registry that it was handed. There is no
// global register: two programs in one process keep their figures apart. Asking twice for a metric
// gives the same one, so every part names what it counts without knowing who else does.

import type * as prometheus from 'prom-client'
import { assert } from '../runtime/assert.ts'
import { type Scheduler, systemScheduler } from '../runtime/scheduler.ts'
import type { Distribution } from './distribution.ts'
import { Exposition } from './exposition.ts'
import type { MetricSpec } from './metricSpec.ts'
import { Counter, Gauge, Histogram, Registry } from './promClient.ts'

export type { Counter, Gauge, Histogram } from 'prom-client'
export { Distribution } from './distribution.ts'
export { labelText } from './exposition.ts'

/** What a metric is called. Names are `millrace_<room>_<what>_<unit>`; counters end in `_total`. */
export interface MetricOptions<Label extends string> {
  readonly name: string
  readonly help: string
  /** Label values must come from a bounded set (a topic, a component; never a key or a user). */
  readonly labels?: readonly Label[]
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds, rising. */
  readonly buckets: readonly number[]
}

/** Bounds in seconds from 100 microseconds to a minute, for latencies. */
export const latencyBucketsSeconds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  30, 60,
]

/** Takes one sample of a family. `labels` is made by `labelText`. */
export type SampleWriter = (labels: string, value: number) => void

/** Takes so many samples as the lines of the format, the name of the family and the line feeds included. */
export type BlockWriter = (lines: string, samples: number) => void

/** Takes one histogram of a family. */
export type DistributionWriter = (labels: string, distribution: Distribution) => void

interface CollectedFamily {
  readonly spec: MetricSpec
  readonly write: (exposition: Exposition) => void
}

/** After so many samples whatever else is due has its turn: a few ms. */
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

  /** A count that only rises. On hot paths keep what `labels(…)` returns: it looks up no label. */
  counter<Label extends string = never>(options: MetricOptions<Label>): prometheus.Counter<Label> {
    const known = this.#known(options.name, Counter<Label>)
    return known ?? new Counter(this.#configuration(options))
  }

  /** A value that rises and falls. */
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
   * A family whose samples are only read at an exposition, and written as they are read: for the tens of
   * thousands of samples that partitions have, and for counts that hot paths keep in plain fields. Labels
   * are kept as texts by the caller where there are many. Fails when the name is taken. Returns what
   * ends the family.
   */
  collected(
    spec: MetricSpec,
    read: (sample: SampleWriter, block: BlockWriter) => void,
  ): () => void {
    assert(spec.type !== 'histogram', `${spec.name} has distributions, not samples`)
    return this.#collect({ spec, write: ({ sample, block }) => read(sample, block) })
  }

  /** The same for a histogram. */
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
   * Calls `read` before each exposition, to set gauges that are cheaper to read then than to keep up
   * to date (the length of a queue). The exposition waits for a promise, which must not be long in coming.
   * Returns what ends it: call that when the queue goes away.
   */
  onExpose(read: () => void | Promise<void>): () => void {
    this.#readers.add(read)
    return () => this.#readers.delete(read)
  }

  /** Everything, in Prometheus' text format (`contentType`). */
  async expose(): Promise<string> {
    return (await this.exposeBytes()).toString()
  }

  /** The same in UTF-8. Whoever asks while an exposition is under way gets that one. */
  exposeBytes(): Promise<Buffer> {
    this.#exposing ??= this.#expose().finally(() => {
      this.#exposing = undefined
    })
    return this.#exposing
  }

  async #expose(): Promise<Buffer> {
    await Promise.all([...this.#readers].map((read) => read()))
    const exposition = new Exposition()
    // prom-client has blank lines between its families, and one where there is no family.
    const registered = await this.#registry.metrics()
    if (registered.trim() !== '') exposition.text(registered.replaceAll(/\n+/g, '\n'))
    let turnAt = samplesPerTurn
    for (const family of [...this.#collected.values()]) {
      // The family may have ended, and others begun, in another turn.
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
