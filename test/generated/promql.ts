// Queries of the tables as PromQL that Prometheus takes.

import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { allMetrics } from './metricTables.ts'

const byName = new Map(allMetrics.map((metric) => [metric.name, metric]))
const histogramParts = ['_bucket', '_sum', '_count']

/** A name with what may follow it: labels in braces. */
const selector = /\b([a-z][a-z0-9_]*)(\{[^}]*\})?/g

export function withName(query: string, { name }: MetricSpec): string {
  return query.replaceAll('$metric', name)
}

/** The metric of a series; undefined for what is no series of ours (a function, a label). */
export function metricOfSeries(series: string): MetricSpec | undefined {
  const direct = byName.get(series)
  if (direct !== undefined) return direct.type === 'histogram' ? undefined : direct
  const part = histogramParts.find((suffix) => series.endsWith(suffix))
  const histogram = part === undefined ? undefined : byName.get(series.slice(0, -part.length))
  return histogram?.type === 'histogram' ? histogram : undefined
}

/**
 * The query for the values that are chosen in a board; `variables` are labels with a variable of
 * that name.
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

/** Series that a query names: words that begin as our metrics do. */
export function seriesIn(query: string): string[] {
  const texts = query.replaceAll(/"[^"]*"/g, '""')
  const words = texts.match(/\b(?:millrace|kafka|flume|process|nodejs)_[a-z0-9_]+/g) ?? []
  return [...new Set(words)]
}
