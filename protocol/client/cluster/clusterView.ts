// The cached metadata of a cluster: brokers, topics and partition leaders. A fold of Metadata
// responses; it sends no request. Metadata can be stale at any time: brokers report that with error
// codes (`saysStale`), and the caller then drops the topic and requests it again.

import type { metadata } from '../../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import type { Address } from '../../runtime/network/network.ts'

export interface TopicView {
  readonly name: string
  /** The zero UUID from a broker whose Metadata has no topic ids (before version 10). */
  readonly topicId: string
  readonly errorCode: number
  readonly partitions: ReadonlyMap<number, PartitionView>
}

export interface PartitionView {
  readonly leaderId: number
  readonly leaderEpoch: number
}

export class ClusterView {
  readonly #brokers = new Map<number, Address>()
  readonly #topics = new Map<string, TopicView>()

  update(answer: ResponseOf<typeof metadata>): void {
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port })
    for (const topic of answer.topics) {
      if (topic.name !== null) this.#topics.set(topic.name, topicView(topic.name, topic))
    }
  }

  forget(topic?: string): void {
    if (topic === undefined) this.#topics.clear()
    else this.#topics.delete(topic)
  }

  brokers(): Address[] {
    return [...this.#brokers.values()]
  }

  broker(nodeId: number): Address | undefined {
    return this.#brokers.get(nodeId)
  }

  /** Drops a broker whose address is unreachable: it may have restarted at another address. */
  forgetBroker(nodeId: number): void {
    this.#brokers.delete(nodeId)
  }

  topic(name: string): TopicView | undefined {
    return this.#topics.get(name)
  }

  /** Returns the topic. Throws the KafkaError of its metadata, or UNKNOWN_TOPIC_OR_PARTITION. */
  usableTopic(name: string): TopicView {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new KafkaError(ErrorCode.unknownTopicOrPartition, name)
    if (topic.errorCode !== ErrorCode.none) throw new KafkaError(topic.errorCode, name)
    return topic
  }

  /** Throws a retriable KafkaError when the partition is unknown or has no leader. */
  leaderOf(topic: string, partition: number): Address {
    const place = `${topic}-${partition}`
    const view = this.usableTopic(topic).partitions.get(partition)
    if (view === undefined) throw new KafkaError(ErrorCode.unknownTopicOrPartition, place)
    const address = this.#brokers.get(view.leaderId)
    if (address === undefined) throw new KafkaError(ErrorCode.leaderNotAvailable, place)
    return address
  }
}

function topicView(name: string, topic: ResponseOf<typeof metadata>['topics'][number]): TopicView {
  const partitions = new Map<number, PartitionView>()
  for (const { partitionIndex, leaderId, leaderEpoch } of topic.partitions) {
    partitions.set(partitionIndex, { leaderId, leaderEpoch })
  }
  return { name, topicId: topic.topicId, errorCode: topic.errorCode, partitions }
}

const staleCodes: ReadonlySet<number> = new Set([
  ErrorCode.unknownTopicOrPartition,
  ErrorCode.leaderNotAvailable,
  ErrorCode.notLeaderOrFollower,
  ErrorCode.replicaNotAvailable,
  ErrorCode.kafkaStorageError,
  ErrorCode.fencedLeaderEpoch,
  ErrorCode.unknownLeaderEpoch,
  ErrorCode.unknownTopicId,
  ErrorCode.inconsistentTopicId,
])

/** Whether an error code says that the cached metadata of the topic is stale. */
export function saysStale(errorCode: number): boolean {
  return staleCodes.has(errorCode)
}
