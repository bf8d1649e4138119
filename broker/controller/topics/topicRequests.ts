// Decides on a client's request to create or extend a topic: returns a command for the metadata
// log, or an error code with a message for the client. Pure functions of the metadata state and the
// request.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'
import { topicConfigsProblem } from '../../configuration/topicSettings.ts'
import type { CommandOf, MetadataCommand } from '../metadata/metadataCommand.ts'
import type { MetadataView, Topic } from '../metadata/metadataView.ts'
import { placePartitions } from './placement.ts'
import { topicNameProblem } from './topicName.ts'

/** Limit on the partitions of one topic: each is a directory with open files. */
const maxPartitionsPerTopic = 10_000

/**
 * The topic in which Kafka's controllers keep their log: Kafka's tools take any topic with this
 * name for it.
 */
const metadataTopicName = '__cluster_metadata'

/** A command to append, or why there is none. */
export type Decision<Command extends MetadataCommand> =
  | { readonly command: Command }
  | { readonly errorCode: number; readonly message: string }

export interface TopicRequest {
  readonly name: string
  /** -1: as many as the broker's configuration says. */
  readonly numPartitions: number
  /** -1: as the broker's configuration says. */
  readonly replicationFactor: number
  readonly assignments: readonly {
    readonly partitionIndex: number
    readonly brokerIds: readonly number[]
  }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export type Refusal = { readonly errorCode: number; readonly message: string }

export function decideCreateTopic(
  state: MetadataView,
  request: TopicRequest,
  id: string,
  broker: BrokerConfig,
): Decision<CommandOf<'createTopic'>> {
  const refusal =
    refuseName(state, request.name) ??
    (request.assignments.length > 0
      ? refuseAssignments(request, broker['node.id'])
      : refuseCounts(request, broker)) ??
    refuseConfigs(request, broker)
  if (refusal) return refusal
  const configs = textsOf(request.configs)
  const assignments = placePartitions({
    partitions: wantedPartitions(request, broker),
    firstPartition: 0,
    nodeId: broker['node.id'],
  })
  return { command: { type: 'createTopic', name: request.name, id, assignments, configs } }
}

/**
 * Number of partitions that the request asks for, valid or not: `decideCreateTopic` refuses invalid
 * numbers.
 */
export function wantedPartitions(
  { assignments, numPartitions }: TopicRequest,
  broker: BrokerConfig,
): number {
  return assignments.length || (numPartitions === -1 ? broker['num.partitions'] : numPartitions)
}

export function decideCreatePartitions(
  topic: Topic | undefined,
  name: string,
  count: number,
  nodeId: number,
): Decision<CommandOf<'createPartitions'>> {
  const refusal = refusePartitions(topic, name, count)
  if (refusal) return refusal
  const { id, partitions: known } = topic!
  const firstPartition = known.length
  const partitions = count - firstPartition
  const assignments = placePartitions({ partitions, firstPartition, nodeId })
  return { command: { type: 'createPartitions', id, firstPartition, assignments } }
}

/** Why the topic cannot have `count` partitions; undefined if it exists and can. */
export function refusePartitions(
  topic: Topic | undefined,
  name: string,
  count: number,
): Refusal | undefined {
  if (!topic) {
    return refuse(ErrorCode.unknownTopicOrPartition, `topic ${name} does not exist`)
  }
  const known = topic.partitions.length
  if (count <= known) {
    return refuse(
      ErrorCode.invalidPartitions,
      `topic ${name} has ${known} partitions; ${count} would not be an increase`,
    )
  }
  return count > maxPartitionsPerTopic ? refuseTooMany(count) : undefined
}

function refuseName(state: MetadataView, name: string): Refusal | undefined {
  const problem = topicNameProblem(name)
  if (problem) return refuse(ErrorCode.invalidTopicException, problem)
  if (name === metadataTopicName) {
    return refuse(ErrorCode.invalidRequest, `${name} is reserved for the metadata log of Kafka`)
  }
  if (state.topic(name)) {
    return refuse(ErrorCode.topicAlreadyExists, `topic ${name} already exists`)
  }
  if (state.isDeleting(name)) {
    return refuse(
      ErrorCode.topicAlreadyExists,
      `topic ${name} is being deleted; its name is free once its logs are removed`,
    )
  }
  const colliding = state.colliding(name)
  if (colliding !== undefined) {
    return refuse(
      ErrorCode.invalidTopicException,
      `${name} collides with the existing topic ${colliding}`,
    )
  }
  return undefined
}

function refuseCounts(
  { numPartitions, replicationFactor }: TopicRequest,
  broker: BrokerConfig,
): Refusal | undefined {
  if (numPartitions !== -1 && numPartitions < 1) {
    return refuse(ErrorCode.invalidPartitions, 'a topic has at least one partition')
  }
  if (numPartitions > maxPartitionsPerTopic) return refuseTooMany(numPartitions)
  const replicas =
    replicationFactor === -1 ? broker['default.replication.factor'] : replicationFactor
  if (replicas !== 1) {
    return refuse(
      ErrorCode.invalidReplicationFactor,
      `replication factor ${replicas} must be 1: there is one broker`,
    )
  }
  return undefined
}

function refuseAssignments(request: TopicRequest, nodeId: number): Refusal | undefined {
  if (request.numPartitions !== -1 || request.replicationFactor !== -1) {
    return refuse(
      ErrorCode.invalidRequest,
      'with assignments, partitions and replication factor must be -1',
    )
  }
  if (request.assignments.length > maxPartitionsPerTopic)
    return refuseTooMany(request.assignments.length)
  const partitions = request.assignments.map((assignment) => assignment.partitionIndex)
  partitions.sort((a, b) => a - b)
  const contiguous = partitions.every((partition, index) => partition === index)
  const placed = request.assignments.every(
    ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId,
  )
  if (contiguous && placed) return undefined
  return refuse(
    ErrorCode.invalidReplicaAssignment,
    `assignments must name partitions 0, 1, 2, ... once each, on broker ${nodeId}`,
  )
}

function refuseConfigs({ configs }: TopicRequest, broker: BrokerConfig): Refusal | undefined {
  const unset = configs.find(({ value }) => value === null)
  if (unset) return refuse(ErrorCode.invalidConfig, `${unset.name} has no value`)
  const texts = textsOf(configs)
  const problem = topicConfigsProblem(texts, broker)
  return problem ? refuse(ErrorCode.invalidConfig, problem) : undefined
}

/** As in Kafka, the last value counts if a config is given twice. */
function textsOf(configs: TopicRequest['configs']): Record<string, string> {
  return Object.fromEntries(configs.map(({ name, value }) => [name, value!]))
}

function refuseTooMany(partitions: number): Refusal {
  return refuse(
    ErrorCode.invalidPartitions,
    `${partitions} partitions: a topic has at most ${maxPartitionsPerTopic}`,
  )
}

export function refuse(errorCode: number, message: string): Refusal {
  return { errorCode, message }
}
