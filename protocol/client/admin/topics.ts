// Creates, deletes and describes topics, and adds partitions.

import { createPartitions as createPartitionsApi } from '../../kafka/apis/createPartitions.ts'
import { createTopics as createTopicsApi } from '../../kafka/apis/createTopics.ts'
import { deleteTopics as deleteTopicsApi } from '../../kafka/apis/deleteTopics.ts'
import { metadata } from '../../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { zeroUuid } from '../../kafka/schema/fields.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import { type AdminRequests, throwUnlessNone } from './adminRequests.ts'

/** A topic to create. */
export interface NewTopic {
  readonly name: string
  /** -1 for the broker's default (Kafka 2.4 or later). Absent with `assignments`. */
  readonly partitions?: number
  /** Default: 1; -1 for the broker's default (Kafka 2.4 or later). Absent with `assignments`. */
  readonly replicationFactor?: number
  /** Brokers of each partition, starting with partition 0; the leader is first. */
  readonly assignments?: readonly (readonly number[])[]
  readonly configs?: Readonly<Record<string, string | null>>
}

/** A created topic. */
export interface CreatedTopic {
  readonly name: string
  /** The zero UUID with brokers before Kafka 2.8. */
  readonly topicId: string
  /** -1 with brokers before Kafka 2.4, like the replication factor. */
  readonly partitions: number
  readonly replicationFactor: number
}

/** A topic and its partitions. */
export interface TopicDescription {
  readonly name: string
  /** The zero UUID with brokers before Kafka 2.8. */
  readonly topicId: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionDescription[]
  /** Kafka's names, such as `READ`; only if requested. */
  readonly authorizedOperations?: readonly string[]
}

/** A partition: its replicas and its in-sync replicas. */
export interface PartitionDescription {
  readonly partition: number
  /** -1 if there is none. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** Operations that an authorizer may permit, by bit. */
const operations = [
  'UNKNOWN',
  'ANY',
  'ALL',
  'READ',
  'WRITE',
  'CREATE',
  'DELETE',
  'ALTER',
  'DESCRIBE',
  'CLUSTER_ACTION',
  'DESCRIBE_CONFIGS',
  'ALTER_CONFIGS',
  'IDEMPOTENT_WRITE',
]
/** The value of the bits if they were not requested. */
const notAskedFor = -2147483648

/** First version of DeleteTopics that names topics in entries with a name or an id. */
const deleteTopicsByEntryVersion = 6

/** Fails at the first topic that could not be created, for example with TOPIC_ALREADY_EXISTS. */
export async function createTopics(
  requests: AdminRequests,
  topics: readonly NewTopic[],
  { validateOnly = false } = {},
): Promise<CreatedTopic[]> {
  const request = {
    timeoutMs: requests.requestTimeoutMs,
    topics: topics.map(creatableTopic),
    validateOnly,
  }
  const answer = await requests.retrying(async () => {
    const connection = await requests.controller()
    const answer = await connection.send(createTopicsApi, request)
    throwIfTurnedAway(answer.topics)
    return answer
  })
  for (const { name, errorCode, errorMessage } of answer.topics) {
    requests.cluster.invalidate(name)
    throwUnlessNone(errorCode, errorMessage ?? name)
  }
  return answer.topics.map(({ name, topicId, numPartitions: partitions, replicationFactor }) => {
    return { name, topicId, partitions, replicationFactor }
  })
}

/** Fails at the first topic that could not be deleted. */
export async function deleteTopics(
  requests: AdminRequests,
  names: readonly string[],
): Promise<void> {
  const timeoutMs = requests.requestTimeoutMs
  const answer = await requests.retrying(async () => {
    const connection = await requests.controller()
    const hasEntries = connection.versionOf(deleteTopicsApi) >= deleteTopicsByEntryVersion
    const request = hasEntries
      ? { topics: names.map((name) => ({ name, topicId: zeroUuid })), timeoutMs }
      : { topicNames: names, timeoutMs }
    const answer = await connection.send(deleteTopicsApi, request)
    throwIfTurnedAway(answer.responses)
    return answer
  })
  for (const { name, errorCode, errorMessage } of answer.responses) {
    requests.cluster.invalidate(name ?? undefined)
    throwUnlessNone(errorCode, errorMessage ?? name)
  }
}

/**
 * Default: all topics, sorted by name. Fails for a name that does not exist; never creates a topic.
 */
export async function describeTopics(
  requests: AdminRequests,
  names?: readonly string[],
  { authorizedOperations = false } = {},
): Promise<TopicDescription[]> {
  const request = {
    topics: names?.map((name) => ({ name })) ?? null,
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: authorizedOperations,
  }
  const answer = await requests.retrying(async () => {
    const connection = await requests.cluster.any()
    return await connection.send(metadata, request)
  })
  for (const { errorCode, name } of answer.topics) {
    if (errorCode !== ErrorCode.leaderNotAvailable) throwUnlessNone(errorCode, name)
  }
  const found = answer.topics.map(topicDescription)
  if (names === undefined) return found.sort(byName)
  const byTopic = new Map(found.map((topic) => [topic.name, topic]))
  return names.flatMap((name) => byTopic.get(name) ?? [])
}

/** Fails with INVALID_PARTITIONS if the topic has as many partitions or more. */
export async function createPartitions(
  requests: AdminRequests,
  topic: string,
  count: number,
  { validateOnly = false } = {},
): Promise<void> {
  const timeoutMs = requests.requestTimeoutMs
  const topics = [{ name: topic, count, assignments: null }]
  const answer = await requests.retrying(async () => {
    const connection = await requests.controller()
    const answer = await connection.send(createPartitionsApi, { topics, timeoutMs, validateOnly })
    throwIfTurnedAway(answer.results)
    return answer
  })
  requests.cluster.invalidate(topic)
  for (const { name, errorCode, errorMessage } of answer.results) {
    throwUnlessNone(errorCode, errorMessage ?? name)
  }
}

function creatableTopic({
  name,
  partitions = -1,
  replicationFactor = 1,
  assignments = [],
  configs = {},
}: NewTopic) {
  const isAssigned = assignments.length > 0
  return {
    name,
    numPartitions: isAssigned ? -1 : partitions,
    replicationFactor: isAssigned ? -1 : replicationFactor,
    assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }
}

/** Throws errors that only another broker, or a later retry, can resolve. */
function throwIfTurnedAway(
  topics: readonly { readonly errorCode: number; readonly errorMessage: string | null }[],
): void {
  for (const { errorCode, errorMessage } of topics) {
    if (errorCode !== ErrorCode.notController) continue
    throw new KafkaError(errorCode, errorMessage ?? undefined)
  }
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  if (one.name === other.name) return 0
  return one.name < other.name ? -1 : 1
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
  const { topicId, isInternal, topicAuthorizedOperations: authorized } = topic
  const description = { name: topic.name ?? '', topicId, isInternal, partitions }
  if (authorized === notAskedFor) return description
  const authorizedOperations = operations.filter((_, bit) => (authorized & (1 << bit)) !== 0)
  return { ...description, authorizedOperations }
}
