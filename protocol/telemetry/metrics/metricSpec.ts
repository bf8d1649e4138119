// A row of a metric table. Each program has one table in its own folder. Metrics are registered
// from it, and the page of metrics, the dashboards and the alert rules under docs/ are generated
// from it, so that no dashboard can query a metric that does not exist.

export type MetricType = 'counter' | 'gauge' | 'histogram'

export interface MetricSpec<Label extends string = string> {
  /**
   * By Prometheus' conventions: base units, `_total` for counters. Names of Kafka's exporters and
   * of Flume are kept.
   */
  readonly name: string
  readonly type: MetricType
  /** One sentence: the text of `# HELP`. */
  readonly help: string
  /** Label values must come from a bounded set (a topic, a component; never a key or a user). */
  readonly labels?: readonly Label[]
  /** Upper bounds, ascending; histograms only. */
  readonly buckets?: readonly number[]
  /** Panels of the dashboards; without any, the metric is not shown. */
  readonly panels?: readonly PanelSpec[]
  /** Alert rules of the metric. */
  readonly alerts?: readonly AlertSpec[]
}

export interface PanelSpec {
  /** Row of the dashboard: `Traffic`, `Consumer groups`. */
  readonly row: string
  readonly title: string
  /** PromQL; `$metric` is replaced by the name of the metric. */
  readonly query: string
  /** Legend of a series in Grafana's form: `{{topic}}`. */
  readonly legend?: string
  /** Grafana unit: `s`, `bytes`, `Bps`, `percentunit`, `short`. */
  readonly unit: string
}

export interface AlertSpec {
  /** `MillraceDiskFullSoon` */
  readonly name: string
  /** PromQL; `$metric` is replaced by the name of the metric. */
  readonly expression: string
  /** How long the expression must hold: `5m`. */
  readonly for: string
  readonly severity: 'critical' | 'warning'
  /** One sentence with Prometheus templates: `{{ $labels.topic }}`. */
  readonly summary: string
  /** What the operator should check and do. */
  readonly action: string
}
