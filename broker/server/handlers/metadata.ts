// Metadata: describes topics and the leaders of their partitions, and creates topics on demand
// where that is enabled. Brokers have the address that the client's own listener advertises.

import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { createTopicsRefusal } from '../../controller/topics/requestSize.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import { clusterResource } from '../gate/authorizer.ts'
import { type ConnectionAccess, operationsNotRequested } from '../gate/connectionAccess.ts'
import { replicasOf } from '../partitions/partitionReplicas.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts, RequestContext } from '../request/requestContext.ts'

type MetadataRequest = RequestOf<typeof metadata>
type RequestedTopic = NonNullable<MetadataRequest['topics']>[number]

/** First version in which an empty list requests no topics; before, it requests all. */
const emptyMeansNoneVersion = 1
/** First version with topics by id; earlier versions have the field and do not use it. */
const byIdVersion = 12

/**
 * Error code for a topic that the request has just created: the topic does not exist, as in Kafka,
 * and clients retry. A client that deletes a topic and checks with Metadata must not find a topic
 * that its check has created.
 */
const notYet = ErrorCode.unknownTopicOrPartition

export const metadataHandler = handler(metadata, async (request, context) => {
  const { broker, apiVersion, advertised, access } = context
  const { nodeId, controller } = broker
  const topics = wantsAll(request, apiVersion)
    ? [...controller.state.topics()]
        .filter(({ name }) => access.allows('describe', 'topic', name))
        .map((topic) => describe(topic, request, context))
    : await findOrCreateAll(request, context)
  return {
    brokers: [{ nodeId, host: advertised.host, port: advertised.port, rack: null }],
    clusterId: controller.clusterId,
    controllerId: nodeId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? access.clusterOperations
      : operationsNotRequested,
  }
})

function wantsAll({ topics }: MetadataRequest, version: number): boolean {
  return topics === null || (version < emptyMeansNoneVersion && topics.length === 0)
}

function withoutRepeated(topics: readonly RequestedTopic[]): RequestedTopic[] {
  const byKey = new Map(topics.map((topic) => [`${topic.topicId} ${topic.name}`, topic]))
  return [...byKey.values()]
}

function findOrCreateAll(request: MetadataRequest, context: RequestContext) {
  const topics = withoutRepeated(request.topics!)
  const mayCreate = request.allowAutoTopicCreation && mayCreateMissing(topics, context.broker)
  return Promise.all(topics.map((topic) => findOrCreate(topic, mayCreate, request, context)))
}

/**
 * Whether the request may create missing topics. As in Kafka, a request for more new topics than
 * may be created at once creates none.
 */
function mayCreateMissing(topics: readonly RequestedTopic[], broker: BrokerParts): boolean {
  if (!broker.config['auto.create.topics.enable']) return false
  const { state } = broker.controller
  const wishes = topics.flatMap(({ topicId, name }) =>
    name === null || topicId !== zeroUuid || state.topic(name) ? [] : [defaultTopic(name)],
  )
  return createTopicsRefusal(state, wishes, broker.configuration.current) === undefined
}

async function findOrCreate(
  { topicId, name }: RequestedTopic,
  mayCreate: boolean,
  request: MetadataRequest,
  context: RequestContext,
) {
  const { broker, apiVersion, access } = context
  const { controller } = broker
  if (name === null || topicId !== zeroUuid) {
    if (apiVersion < byIdVersion) return missing(name ?? '', topicId, ErrorCode.invalidRequest)
    const topic = controller.state.topicById(topicId)
    return topic
      ? describe(topic, request, context)
      : missing(null, topicId, ErrorCode.unknownTopicId)
  }
  const known = controller.state.topic(name)
  if (known) return describe(known, request, context)
  if (!mayCreate || isInternalTopic(name) || !isCreatable(name, access)) {
    const isName = topicNameProblem(name) === undefined
    const errorCode = isName ? ErrorCode.unknownTopicOrPartition : ErrorCode.invalidTopicException
    return missing(name, zeroUuid, errorCode)
  }
  const { errorCode } = await controller.createTopic(defaultTopic(name))
  // The topic was created, possibly by another request; or the disk is full; or the former topic of
  // this name is still being deleted.
  const willExist =
    controller.state.topic(name) !== undefined ||
    errorCode === ErrorCode.kafkaStorageError ||
    errorCode === ErrorCode.topicAlreadyExists
  return missing(name, zeroUuid, willExist ? notYet : errorCode)
}

function defaultTopic(name: string) {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
}

function isCreatable(name: string, access: ConnectionAccess): boolean {
  return (
    access.allows('create', 'topic', name) || access.allows('create', 'cluster', clusterResource)
  )
}

function describe(topic: Topic, request: MetadataRequest, { broker, access }: RequestContext) {
  return {
    errorCode: ErrorCode.none,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from(topic.partitions, (_, partitionIndex) => {
      const replicas = replicasOf(topic, partitionIndex, broker)
      const isLed = replicas.offlineReplicas.length === 0
      const errorCode = isLed ? ErrorCode.none : ErrorCode.leaderNotAvailable
      return { errorCode, partitionIndex, ...replicas }
    }),
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations
      ? access.authorizedOperations('topic', topic.name)
      : operationsNotRequested,
  }
}

function missing(name: string | null, topicId: string, errorCode: number) {
  return {
    errorCode,
    name,
    topicId,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: operationsNotRequested,
  }
}
