// What a broker says about itself: its topics for the console, its traffic for Prometheus. Reads
// only; everything is computed when it is asked for.

import type { Metrics } from '../../protocol/telemetry/metrics.ts'
import { isInternalTopic } from '../controller/internalTopics.ts'
import type { MetadataState, Topic } from '../controller/metadataState.ts'
import type { Partitions } from './partitions.ts'
import type { TrafficByTopic } from './topicTraffic.ts'

export interface PartitionOverview {
  readonly partition: number
  readonly logStartOffset: number
  /** One above the last record that consumers can read. */
  readonly highWatermark: number
  readonly sizeBytes: number
  /** Whether its log is in a data directory that has failed: nobody can read or write it. */
  readonly isOffline: boolean
}

/** Totals are counted from when the broker started; rates are differences of two overviews. */
export interface TopicOverview {
  readonly name: string
  readonly id: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionOverview[]
  readonly bytesInTotal: number
  readonly bytesOutTotal: number
  readonly messagesInTotal: number
}

export function describeTopics(
  state: MetadataState,
  partitions: Partitions,
  traffic: TrafficByTopic,
): TopicOverview[] {
  return [...state.topics()].map((topic) => {
    const { bytesIn, bytesOut, messagesIn } = traffic.of(topic.name)
    return {
      name: topic.name,
      id: topic.id,
      isInternal: isInternalTopic(topic.name),
      partitions: Array.from({ length: topic.partitions }, (_, partition) =>
        describePartition(topic, partition, partitions),
      ),
      bytesInTotal: bytesIn,
      bytesOutTotal: bytesOut,
      messagesInTotal: messagesIn,
    }
  })
}

function describePartition(
  topic: Topic,
  partition: number,
  partitions: Partitions,
): PartitionOverview {
  const log = partitions.log(topic.name, partition)
  return {
    partition,
    logStartOffset: log?.logStartOffset ?? 0,
    highWatermark: log?.highWatermark ?? 0,
    sizeBytes: log?.size ?? 0,
    isOffline: log === undefined && partitions.isOffline(topic, partition),
  }
}

/** What the clients of a broker take of it now. */
export interface ClientFigures {
  readonly connections: number
  readonly requestBytes: number
  readonly decodedBytes: number
  readonly responseBytes: number
}

/** Keeps gauges up to date with the traffic of each topic and of clients; returns what takes them away again. */
export function exposeTraffic(
  metrics: Metrics,
  traffic: TrafficByTopic,
  clients: () => ClientFigures,
): () => void {
  const bytesIn = metrics.gauge({
    name: 'millrace_broker_topic_in_bytes',
    help: 'Bytes of record batches appended to a topic since the start.',
    labels: ['topic'],
  })
  const bytesOut = metrics.gauge({
    name: 'millrace_broker_topic_out_bytes',
    help: 'Bytes of record batches read from a topic since the start.',
    labels: ['topic'],
  })
  const messagesIn = metrics.gauge({
    name: 'millrace_broker_topic_in_messages',
    help: 'Records appended to a topic since the start.',
    labels: ['topic'],
  })
  const connections = metrics.gauge({
    name: 'millrace_broker_connections',
    help: 'Open client connections.',
  })
  const requestBytes = metrics.gauge({
    name: 'millrace_broker_queued_request_bytes',
    help: 'Bytes of requests that are not answered, half-received ones included.',
  })
  const decodedBytes = metrics.gauge({
    name: 'millrace_broker_decoded_request_bytes',
    help: 'Memory that decoded requests take until they are answered, beside their bytes.',
  })
  const responseBytes = metrics.gauge({
    name: 'millrace_broker_queued_response_bytes',
    help: 'Bytes read for answers or of answers that clients have not taken.',
  })
  return metrics.onExpose(() => {
    const figures = clients()
    connections.set(figures.connections)
    requestBytes.set(figures.requestBytes)
    decodedBytes.set(figures.decodedBytes)
    responseBytes.set(figures.responseBytes)
    for (const [topic, totals] of traffic.all()) {
      bytesIn.labels(topic).set(totals.bytesIn)
      bytesOut.labels(topic).set(totals.bytesOut)
      messagesIn.labels(topic).set(totals.messagesIn)
    }
  })
}
