// A row of a table of metrics. Each program has one table, in its own room; the program registers its metrics
// from the table, and the page of metrics, the dashboards and the alert rules under docs/ are generated from
// it. So no dashboard can ask for a metric that does not exist.

export type MetricType = 'counter' | 'gauge' | 'histogram'

export interface MetricSpec<Label extends string = string> {
  /** By Prometheus' rules: base units, `_total` for counters. Kafka's exporters' and Flume's names where they have one. */
  readonly name: string
  readonly type: MetricType
  /** One sentence, which is also the text of `# HELP`. */
  readonly help: string
  /** Label values must come from a bounded set (a topic, a component; never a key or a user). */
  readonly labels?: readonly Label[]
  /** Upper bounds, rising; of histograms only. */
  readonly buckets?: readonly number[]
  /** How dashboards show the metric; without panels, none does. */
  readonly panels?: readonly PanelSpec[]
  /** When somebody has to be told. */
  readonly alerts?: readonly AlertSpec[]
}

export interface PanelSpec {
  /** Row of the dashboard: `Traffic`, `Consumer groups`. */
  readonly row: string
  readonly title: string
  /** PromQL; `$metric` stands for the name of the metric. */
  readonly query: string
  /** Of one line, in Grafana's form: `{{topic}}`. */
  readonly legend?: string
  /** A unit of Grafana's: `s`, `bytes`, `Bps`, `percentunit`, `short`. */
  readonly unit: string
}

export interface AlertSpec {
  /** `MillraceDiskFullSoon` */
  readonly name: string
  /** PromQL; `$metric` stands for the name of the metric. */
  readonly expression: string
  /** How long the expression has to hold: `5m`. */
  readonly for: string
  readonly severity: 'critical' | 'warning'
  /** One sentence with Prometheus' templates: `{{ $labels.topic }}`. */
  readonly summary: string
  /** What the operator looks at, and what to do. */
  readonly action: string
}
