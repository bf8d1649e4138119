// The options that bound the number of series in an exposition (docs/broker-configuration.md).

export interface SeriesLimits {
  readonly 'http.metrics.partitions': boolean
  readonly 'http.metrics.max.topics': number
  readonly 'http.metrics.max.partitions': number
  readonly 'http.metrics.max.groups': number
}
