// Converts the queries in the tables of metrics to PromQL.

import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { allMetrics } from './metricTables.ts'

const byName = new Map(allMetrics.map((metric) => [metric.name, metric]))
const histogramParts = ['_bucket', '_sum', '_count']

/** A name, optionally followed by labels in braces. */
const selector = /\b([a-z][a-z0-9_]*)(\{[^}]*\})?/g

export function withName(query: string, { name }: MetricSpec): string {
  return query.replaceAll('$metric', name)
}

/** Returns the metric of a series; undefined for other names, such as functions and labels. */
export function metricOfSeries(series: string): MetricSpec | undefined {
  const direct = byName.get(series)
  if (direct !== undefined) return direct.type === 'histogram' ? undefined : direct
  const part = histogramParts.find((suffix) => series.endsWith(suffix))
  const histogram = part === undefined ? undefined : byName.get(series.slice(0, -part.length))
  return histogram?.type === 'histogram' ? histogram : undefined
}

/**
 * Returns the query for the values that are selected in a board; `variables` are the labels that
 * have a variable of the same name.
 */
export function filtered(query: string, variables: readonly string[]): string {
  return query.replaceAll(selector, (text, name: string, braces = '{}') => {
    const metric = metricOfSeries(name)
    if (metric === undefined) return text
    const labels = ['instance', ...(metric.labels ?? [])]
    const matchers = variables
      .filter((variable) => labels.includes(variable))
      .map((variable) => `${variable}=~"$${variable}"`)
    const own = braces.slice(1, -1)
    return `${name}{${[...matchers, ...(own === '' ? [] : [own])].join(',')}}`
  })
}

/** Returns the series in a query: the words with the prefix of one of our metrics. */
export function seriesIn(query: string): string[] {
  const texts = query.replaceAll(/"[^"]*"/g, '""')
  const words = texts.match(/\b(?:millrace|kafka|flume|process|nodejs)_[a-z0-9_]+/g) ?? []
  return [...new Set(words)]
}
