// Looks after topics and looks into groups, for command lines, consoles and tests.

import { createTopics } from '../kafka/apis/createTopics.ts'
import { deleteTopics } from '../kafka/apis/deleteTopics.ts'
import { listOffsets } from '../kafka/apis/listOffsets.ts'
import { metadata } from '../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import { zeroUuid } from '../kafka/fields.ts'
import type { ResponseOf } from '../kafka/schema.ts'
import type { Cluster } from './cluster.ts'
import { saysStale } from './clusterView.ts'
import { fetchCommittedOffsets } from './committedOffsets.ts'
import type { Isolation } from './isolation.ts'
import { isolationLevels } from './partitionReader.ts'

/** A topic to be created. */
export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor?: number
  readonly configs?: Readonly<Record<string, string>>
}

/** A topic as the cluster describes it. */
export interface TopicDescription {
  readonly name: string
  /** The zero UUID from brokers before Kafka 2.8. */
  readonly topicId: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionDescription[]
}

/** A partition, and where its replicas are. */
export interface PartitionDescription {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** Kafka's special timestamps: the first offset, and the one after the last. */
export const OffsetSpec = { earliest: -2, latest: -1 } as const

/** Administers a cluster: creates, describes and deletes topics, and looks into groups. */
export class Admin {
  readonly #cluster: Cluster
  readonly #timeoutMs: number

  /** Failures that may pass are tried again for `timeoutMs`; all others are KafkaErrors at once. */
  constructor(cluster: Cluster, timeoutMs = 2 * cluster.requestTimeoutMs) {
    this.#cluster = cluster
    this.#timeoutMs = timeoutMs
  }

  /** Fails at the first topic that could not be created (TOPIC_ALREADY_EXISTS and the like). */
  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    const request = {
      timeoutMs: this.#cluster.requestTimeoutMs,
      topics: topics.map(({ name, partitions, replicationFactor = 1, configs = {} }) => ({
        name,
        numPartitions: partitions,
        replicationFactor,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      })),
    }
    const answer = await this.#retrying(async () => {
      const connection = await this.#cluster.any()
      return await connection.send(createTopics, request)
    })
    for (const { name, errorCode, errorMessage } of answer.topics) {
      this.#cluster.invalidate(name)
      throwUnlessNone(errorCode, errorMessage ?? name)
    }
  }

  /** Fails at the first topic that could not be deleted. */
  async deleteTopics(names: readonly string[]): Promise<void> {
    const timeoutMs = this.#cluster.requestTimeoutMs
    const answer = await this.#retrying(async () => {
      const connection = await this.#cluster.any()
      const hasEntries = connection.versionOf(deleteTopics) >= deleteTopicsByEntryVersion
      const request = hasEntries
        ? { topics: names.map((name) => ({ name, topicId: zeroUuid })), timeoutMs }
        : { topicNames: names, timeoutMs }
      return await connection.send(deleteTopics, request)
    })
    for (const { name, errorCode, errorMessage } of answer.responses) {
      this.#cluster.invalidate(name ?? undefined)
      throwUnlessNone(errorCode, errorMessage ?? name)
    }
  }

  /** Names, sorted. */
  async listTopics(): Promise<string[]> {
    return (await this.#describe(null)).map(({ name }) => name).sort()
  }

  /** Does not create what is missing: it fails with UNKNOWN_TOPIC_OR_PARTITION. */
  async describeTopics(names: readonly string[]): Promise<TopicDescription[]> {
    return await this.#describe(names.map((name) => ({ name })))
  }

  /**
   * By partition; `at` is an OffsetSpec, or the milliseconds to find the first offset from. With
   * `committed`, the latest offset is the last stable one.
   */
  async listOffsets(
    topic: string,
    at: number,
    isolation: Isolation = 'uncommitted',
  ): Promise<Map<number, number>> {
    const count = await this.#retrying(() => this.#cluster.partitionCount(topic))
    const offsets = new Map<number, number>()
    for (let partition = 0; partition < count; partition++) {
      offsets.set(
        partition,
        await this.#retrying(() => this.#offset(topic, partition, at, isolation)),
      )
    }
    return offsets
  }

  /** What a group committed, by topic and partition. */
  async committedOffsets(groupId: string): Promise<Map<string, Map<number, number>>> {
    return await this.#retrying(() => fetchCommittedOffsets(this.#cluster, groupId, null))
  }

  async #describe(
    topics: readonly { readonly name: string }[] | null,
  ): Promise<TopicDescription[]> {
    const answer = await this.#retrying(async () => {
      const connection = await this.#cluster.any()
      return await connection.send(metadata, { topics, allowAutoTopicCreation: false })
    })
    for (const { errorCode, name } of answer.topics) throwUnlessNone(errorCode, name)
    return answer.topics.map(topicDescription)
  }

  async #offset(
    topic: string,
    partition: number,
    timestamp: number,
    isolation: Isolation,
  ): Promise<number> {
    const connection = await this.#cluster.leader(topic, partition)
    const answer = await connection.send(listOffsets, {
      replicaId: -1,
      isolationLevel: isolationLevels[isolation],
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
    })
    const found = answer.topics[0]?.partitions[0]
    const errorCode = found?.errorCode ?? ErrorCode.unknownTopicOrPartition
    if (saysStale(errorCode)) this.#cluster.invalidate(topic)
    throwUnlessNone(errorCode, `${topic}-${partition}`)
    return found!.offset
  }

  #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#cluster.retrying(this.#timeoutMs, attempt)
  }
}

/** From here on DeleteTopics names topics in entries that could hold an id in place of the name. */
const deleteTopicsByEntryVersion = 6

function throwUnlessNone(errorCode: number, detail: string | null): void {
  if (errorCode !== ErrorCode.none) throw new KafkaError(errorCode, detail ?? undefined)
}

function topicDescription(topic: ResponseOf<typeof metadata>['topics'][number]): TopicDescription {
  const partitions = topic.partitions
    .map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
      partition: partitionIndex,
      leader: leaderId,
      replicas: replicaNodes,
      isr: isrNodes,
    }))
    .sort((one, other) => one.partition - other.partition)
  return {
    name: topic.name ?? '',
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    partitions,
  }
}
