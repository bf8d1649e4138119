// Exposes topics and partitions, and the number of those left out.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import type { TopicTraffic, TrafficByTopic } from '../../server/figures/topicTraffic.ts'
import { LineBlocks } from '../lineBlocks.ts'
import type { PartitionFigures, PartitionSnapshot, TopicFigures } from '../partitionSnapshot.ts'
import type { SeriesLimits } from '../seriesLimits.ts'
import { partitionMetrics } from '../table/partitions.ts'
import { trafficMetrics } from '../table/traffic.ts'
import type { Collectors } from './collectors.ts'

export interface PartitionSources {
  readonly nodeId: number
  readonly snapshot: PartitionSnapshot
  readonly traffic: TrafficByTopic
  readonly limits: () => SeriesLimits
}

export function collectPartitions(collectors: Collectors, sources: PartitionSources): void {
  collectTopics(collectors, sources)
  const { nodeId, snapshot, limits } = sources
  const spec = partitionMetrics
  const partition = (metric: MetricSpec, read: (figures: PartitionFigures) => number) => {
    const lines = new LineBlocks(metric.name, read)
    collectors.samples(metric, (_, block) => {
      for (const topic of shownPartitions(snapshot, limits())) {
        lines.write(topic, topic.partitions, block)
      }
    })
  }
  partition(spec.currentOffset, ({ highWatermark }) => highWatermark)
  partition(spec.oldestOffset, ({ logStartOffset }) => logStartOffset)
  partition(spec.logEndOffset, ({ logEndOffset }) => logEndOffset)
  partition(spec.lastStableOffsetLag, ({ highWatermark, lastStableOffset }) =>
    Math.max(0, highWatermark - lastStableOffset),
  )
  partition(spec.logSize, ({ sizeBytes }) => sizeBytes)
  partition(spec.segments, ({ segments }) => segments)
  // For a cluster of one node.
  partition(spec.leader, ({ isLed }) => (isLed ? nodeId : -1))
  partition(spec.leaderIsPreferred, ({ isLed }) => Number(isLed))
  partition(spec.replicas, () => 1)
  partition(spec.inSyncReplicas, ({ isLed }) => Number(isLed))
  partition(spec.underReplicated, ({ isLed }) => Number(!isLed))
}

function collectTopics(
  collectors: Collectors,
  { snapshot, traffic, limits }: PartitionSources,
): void {
  const topics = (metric: MetricSpec, read: (topic: TopicFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const topic of shownTopics(snapshot, limits())) sample(topic.labels, read(topic))
    })
  topics(partitionMetrics.partitions, ({ partitions }) => partitions.length)
  topics(partitionMetrics.topicLogBytes, ({ sizeBytes }) => sizeBytes)
  topics(partitionMetrics.topicSegments, ({ segments }) => segments)
  const counted = (metric: MetricSpec, read: (traffic: Readonly<TopicTraffic>) => number) =>
    collectors.samples(metric, (sample) => {
      for (const { name, labels } of shownTopics(snapshot, limits())) {
        const counters = traffic.find(name)
        if (counters) sample(labels, read(counters))
      }
    })
  const spec = trafficMetrics
  counted(spec.bytesIn, ({ bytesIn }) => bytesIn)
  counted(spec.bytesOut, ({ bytesOut }) => bytesOut)
  counted(spec.messagesIn, ({ messagesIn }) => messagesIn)
  counted(spec.messagesOut, ({ messagesOut }) => messagesOut)
  counted(spec.produceRequests, ({ appends }) => appends)
  counted(spec.failedProduceRequests, ({ failedAppends }) => failedAppends)
  counted(spec.bytesRejected, ({ failedBytes }) => failedBytes)
  counted(spec.duplicateBatches, ({ duplicateAppends }) => duplicateAppends)
  counted(spec.failedFetchRequests, ({ failedReads }) => failedReads)
}

function* shownTopics(
  snapshot: PartitionSnapshot,
  limits: SeriesLimits,
): Generator<TopicFigures, void> {
  let left = limits['http.metrics.max.topics']
  for (const topic of snapshot.topics()) {
    if (left-- <= 0) return
    yield topic
  }
}

/** Yields whole topics only: half of a topic would give a wrong sum. */
function* shownPartitions(
  snapshot: PartitionSnapshot,
  limits: SeriesLimits,
): Generator<TopicFigures, void> {
  if (!limits['http.metrics.partitions']) return
  let left = limits['http.metrics.max.partitions']
  for (const topic of shownTopics(snapshot, limits)) {
    left -= topic.partitions.length
    if (left < 0) return
    yield topic
  }
}

/** Returns the numbers of topics and partitions without series because of the limits. */
export function leftOut(
  snapshot: PartitionSnapshot,
  limits: SeriesLimits,
): { readonly topics: number; readonly partitions: number } {
  const topics = Math.max(0, snapshot.topicCount - limits['http.metrics.max.topics'])
  if (!limits['http.metrics.partitions']) return { topics, partitions: 0 }
  let shown = 0
  for (const { partitions } of shownPartitions(snapshot, limits)) shown += partitions.length
  return { topics, partitions: snapshot.partitionCount - shown }
}
