// Counters, gauges and histograms of one program, in the registry that it was handed. There is no
// global register: two programs in one process keep their figures apart. Asking twice for a metric
// gives the same one, so every part names what it counts without knowing who else does.

import * as prometheus from 'prom-client'
import { assert } from '../runtime/assert.ts'
import type { MetricSpec } from './metricSpec.ts'

export type { Counter, Gauge, Histogram } from 'prom-client'

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

/** Takes one sample of a family. */
export type SampleWriter = (labels: string, value: number) => void

interface CollectedFamily {
  readonly spec: MetricSpec
  readonly read: (sample: SampleWriter) => void
}

/** Labels as the text format has them: `{topic="orders",partition="3"}`; none is the empty text. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function familyText({ spec, read }: CollectedFamily): string {
  let text = `# HELP ${spec.name} ${spec.help}\n# TYPE ${spec.name} ${spec.type}\n`
  read((labels, value) => {
    text += `${spec.name}${labels} ${value}\n`
  })
  return text
}

export class Metrics {
  readonly #registry: prometheus.Registry
  readonly #readers = new Set<() => void>()
  readonly #collected = new Set<CollectedFamily>()

  constructor(registry: prometheus.Registry = new prometheus.Registry()) {
    this.#registry = registry
  }

  /** A count that only rises. On hot paths keep what `labels(…)` returns: it looks up no label. */
  counter<Label extends string = never>(options: MetricOptions<Label>): prometheus.Counter<Label> {
    const known = this.#known(options.name, prometheus.Counter<Label>)
    return known ?? new prometheus.Counter(this.#configuration(options))
  }

  /** A value that rises and falls. */
  gauge<Label extends string = never>(options: MetricOptions<Label>): prometheus.Gauge<Label> {
    const known = this.#known(options.name, prometheus.Gauge<Label>)
    return known ?? new prometheus.Gauge(this.#configuration(options))
  }

  /** A distribution over fixed buckets. */
  histogram<Label extends string = never>(
    options: HistogramOptions<Label>,
  ): prometheus.Histogram<Label> {
    const known = this.#known(options.name, prometheus.Histogram<Label>)
    if (known) return known
    const buckets = [...options.buckets]
    return new prometheus.Histogram({ ...this.#configuration(options), buckets })
  }

  /**
   * A family whose samples are only read at an exposition, and written as they are read: for the tens of
   * thousands of samples that partitions have. `labels` is made by `labelText`, and kept by the caller
   * where it can be. Returns what ends it.
   */
  collected(spec: MetricSpec, read: (sample: SampleWriter) => void): () => void {
    const family: CollectedFamily = { spec, read }
    this.#collected.add(family)
    return () => this.#collected.delete(family)
  }

  /**
   * Calls `read` before each exposition, to set gauges that are cheaper to read then than to keep up
   * to date (the length of a queue). Returns what ends it: call that when the queue goes away.
   */
  onExpose(read: () => void): () => void {
    this.#readers.add(read)
    return () => this.#readers.delete(read)
  }

  /** Everything, in Prometheus' text format (`contentType`). */
  async expose(): Promise<string> {
    for (const read of this.#readers) read()
    const registered = await this.#registry.metrics()
    return registered + [...this.#collected].map(familyText).join('')
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  #known<M>(name: string, kind: abstract new (...args: never[]) => M): M | undefined {
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
