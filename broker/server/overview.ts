// Describes the topics of a broker for the console. Reads only; everything is computed on request.

import type { MetadataView, Topic } from '../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../controller/topics/internalTopics.ts'
import type { ReplicaManager } from '../replication/replicaManager.ts'
import type { TrafficByTopic } from './figures/topicTraffic.ts'

export interface PartitionOverview {
  readonly partition: number
  /** Figures are null where unknown: the log is offline, or its broker did not report them. */
  readonly logStartOffset: number | null
  /** The offset after the last record that consumers can read. */
  readonly highWatermark: number | null
  readonly sizeBytes: number | null
  /** Whether the log is in a failed data directory, where it can be neither read nor written. */
  readonly isOffline: boolean
}

/** A topic. Totals are counted since the broker started; rates are differences of two overviews. */
export interface TopicOverview {
  readonly name: string
  readonly id: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionOverview[]
  /** Null where unknown: a broker that is asked over the Kafka protocol does not report totals. */
  readonly bytesInTotal: number | null
  readonly bytesOutTotal: number | null
  readonly messagesInTotal: number | null
}

/** Returns the sum of the high watermarks; null while any is unknown. */
export function recordsIn(partitions: readonly PartitionOverview[]): number | null {
  let records = 0
  for (const { highWatermark } of partitions) {
    if (highWatermark === null) return null
    records += highWatermark
  }
  return records
}

export function describeTopics(
  state: MetadataView,
  replicas: ReplicaManager,
  traffic: TrafficByTopic,
): TopicOverview[] {
  return [...state.topics()].map((topic) => {
    const { bytesIn, bytesOut, messagesIn } = traffic.of(topic.name)
    return {
      name: topic.name,
      id: topic.id,
      isInternal: isInternalTopic(topic.name),
      partitions: Array.from(topic.partitions, (_, partition) =>
        describePartition(topic, partition, replicas),
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
  replicas: ReplicaManager,
): PartitionOverview {
  const log = replicas.log(topic.name, partition)
  return {
    partition,
    logStartOffset: log?.logStartOffset ?? null,
    highWatermark: log?.highWatermark ?? null,
    sizeBytes: log?.size ?? null,
    isOffline: log === undefined && replicas.isOffline(topic, partition),
  }
}
