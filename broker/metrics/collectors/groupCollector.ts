// Exposes groups, and their lag in records and in seconds.

import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import type { GroupFigures, GroupSnapshot, PartitionLag } from '../groupSnapshot.ts'
import { lagSecondsOf, stalenessSecondsOf } from '../lagLookups.ts'
import { LineBlocks } from '../lineBlocks.ts'
import type { SeriesLimits } from '../seriesLimits.ts'
import { groupMetrics } from '../table/groups.ts'
import type { Collectors } from './collectors.ts'

export interface GroupCollectorSources {
  readonly snapshot: GroupSnapshot
  readonly clock: Clock
  readonly limits: () => SeriesLimits
}

export function collectGroups(
  collectors: Collectors,
  { snapshot, clock, limits }: GroupCollectorSources,
): void {
  const spec = groupMetrics
  collectors.samples(spec.groups, (sample) => {
    for (const [labels, count] of snapshot.counts) sample(labels, count)
  })
  collectors.samples(spec.info, (sample) => {
    for (const { infoLabels } of snapshot.groups()) sample(infoLabels, 1)
  })
  const groups = (metric: MetricSpec, read: (group: GroupFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const group of snapshot.groups()) sample(group.labels, read(group))
    })
  groups(spec.generation, ({ generation }) => generation)
  groups(spec.members, ({ members }) => members)
  const partitions = (metric: MetricSpec, read: (lag: PartitionLag) => number | undefined) => {
    const lines = new LineBlocks(metric.name, read)
    collectors.samples(metric, (_, block) => {
      if (!limits()['http.metrics.partitions']) return
      for (const group of snapshot.groups()) {
        for (const topic of group.topics.values()) {
          lines.write(topic, topic.order, block)
        }
      }
    })
  }
  const topics = (
    metric: MetricSpec,
    read: (partitions: Iterable<PartitionLag>) => number | undefined,
  ) =>
    collectors.samples(metric, (sample) => {
      for (const group of snapshot.groups()) {
        for (const { labels, order } of group.topics.values()) {
          const value = read(order)
          if (value !== undefined) sample(labels, value)
        }
      }
    })
  partitions(spec.currentOffset, ({ committed }) => committed)
  topics(spec.currentOffsetSum, (lags) => sumOf(lags, ({ committed }) => committed))
  partitions(spec.lag, ({ lag }) => lag)
  topics(spec.lagSum, (lags) => sumOf(lags, ({ lag }) => lag))
  partitions(spec.lagSeconds, (lag) => lagSecondsOf(lag, clock.nowMs()))
  topics(spec.lagMaxSeconds, (lags) => largestSeconds(lags, clock.nowMs()))
  collectors.value(spec.lagStaleness, () => {
    const nowMs = clock.monotonicMs()
    let seconds = 0
    for (const lag of snapshot.lags()) seconds = Math.max(seconds, stalenessSecondsOf(lag, nowMs))
    return seconds
  })
}

function sumOf(lags: Iterable<PartitionLag>, read: (lag: PartitionLag) => number): number {
  let sum = 0
  for (const lag of lags) sum += read(lag)
  return sum
}

/** Largest lag in seconds; undefined while none is known. */
function largestSeconds(lags: Iterable<PartitionLag>, nowMs: number): number | undefined {
  let largest: number | undefined
  for (const lag of lags) {
    const seconds = lagSecondsOf(lag, nowMs)
    if (seconds !== undefined) largest = Math.max(largest ?? 0, seconds)
  }
  return largest
}
