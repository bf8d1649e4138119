// What a broker says about its topics for the console. Reads only; everything is computed when it is
// asked for.

import type { MetadataView, Topic } from '../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../controller/topics/internalTopics.ts'
import type { ReplicaManager } from '../replication/replicaManager.ts'
import type { TrafficByTopic } from './topicTraffic.ts'

export interface PartitionOverview {
  readonly partition: number
  /** Figures are null where they are not known: the log is offline, or its broker has not said it. */
  readonly logStartOffset: number | null
  /** One above the last record that consumers can read. */
  readonly highWatermark: number | null
  readonly sizeBytes: number | null
  /** Whether its log is in a data directory that has failed: nobody can read or write it. */
  readonly isOffline: boolean
}

/** Totals are counted from when the broker started; rates are differences of two overviews. */
export interface TopicOverview {
  readonly name: string
  readonly id: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionOverview[]
  /** Null where they are not known: of a broker that is asked as a client asks. */
  readonly bytesInTotal: number | null
  readonly bytesOutTotal: number | null
  readonly messagesInTotal: number | null
}

/** High watermarks, summed; null while any is not known. */
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
