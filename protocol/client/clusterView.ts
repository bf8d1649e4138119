// What is known of the cluster: brokers, topics, and who leads each partition. A fold of Metadata
// answers; it asks nobody. What is known may be out of date at any time: brokers say so in their
// error codes, and then the topic is forgotten and asked for again.

import type { metadata } from '../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import type { ResponseOf } from '../kafka/schema.ts'
import type { Address } from '../runtime/network.ts'

export interface TopicView {
  readonly name: string
  /** Zero when the broker's Metadata is too old to tell (before version 10). */
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

  /** After its address could not be reached: it may have started elsewhere. */
  forgetBroker(nodeId: number): void {
    this.#brokers.delete(nodeId)
  }

  topic(name: string): TopicView | undefined {
    return this.#topics.get(name)
  }

  /** The topic, or the KafkaError that keeps it from being used. */
  usableTopic(name: string): TopicView {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new KafkaError(ErrorCode.unknownTopicOrPartition, name)
    if (topic.errorCode !== ErrorCode.none) throw new KafkaError(topic.errorCode, name)
    return topic
  }

  /** Throws a retriable KafkaError when there is no such partition, or no leader just now. */
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

/** Whether an error code says that what is known of the topic is out of date. */
export function saysStale(errorCode: number): boolean {
  return staleCodes.has(errorCode)
}
