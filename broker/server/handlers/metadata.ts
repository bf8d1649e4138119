// Describes topics and the leaders of their partitions, and creates topics that are asked for the first
// time, where that is allowed. Every client is told the address of its own listener.

import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/fields.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { createTopicsRefusal } from '../../controller/topics/requestSize.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import { allOperations, noOperations } from '../authorizedOperations.ts'
import { handler } from '../handler.ts'
import { replicasOf } from '../partitionReplicas.ts'
import type { BrokerParts, RequestContext } from '../requestContext.ts'

type MetadataRequest = RequestOf<typeof metadata>
type RequestedTopic = NonNullable<MetadataRequest['topics']>[number]

/** From here on an empty list asks for nothing; before, for everything. */
const emptyMeansNoneVersion = 1
/** From here on topics can be asked for by their ids; before, the field is there and not used. */
const byIdVersion = 12

/**
 * The answer that creates a topic says that the topic does not exist, as Kafka's does, and clients ask
 * again: whoever deletes a topic and looks must not be shown the one that the question has created.
 */
const notYet = ErrorCode.unknownTopicOrPartition

export const metadataHandler = handler(metadata, async (request, context) => {
  const { broker, apiVersion, advertised } = context
  const { nodeId, controller } = broker
  const topics = wantsAll(request, apiVersion)
    ? [...controller.state.topics()].map((topic) => describe(topic, request, broker))
    : await findOrCreateAll(request, context)
  return {
    brokers: [{ nodeId, host: advertised.host, port: advertised.port, rack: null }],
    clusterId: controller.clusterId,
    controllerId: nodeId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? allOperations.cluster
      : noOperations,
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

/** A request for more new topics than one may create gets none of them, as in Kafka. */
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
  { broker, apiVersion }: RequestContext,
) {
  const { controller } = broker
  if (name === null || topicId !== zeroUuid) {
    if (apiVersion < byIdVersion) return missing(name ?? '', topicId, ErrorCode.invalidRequest)
    const topic = controller.state.topicById(topicId)
    return topic
      ? describe(topic, request, broker)
      : missing(null, topicId, ErrorCode.unknownTopicId)
  }
  const known = controller.state.topic(name)
  if (known) return describe(known, request, broker)
  if (!mayCreate || isInternalTopic(name)) {
    const isName = topicNameProblem(name) === undefined
    const errorCode = isName ? ErrorCode.unknownTopicOrPartition : ErrorCode.invalidTopicException
    return missing(name, zeroUuid, errorCode)
  }
  const { errorCode } = await controller.createTopic(defaultTopic(name))
  // Created, perhaps by another request; or there is no room now, or the former topic is still being deleted.
  const willExist =
    controller.state.topic(name) !== undefined ||
    errorCode === ErrorCode.kafkaStorageError ||
    errorCode === ErrorCode.topicAlreadyExists
  return missing(name, zeroUuid, willExist ? notYet : errorCode)
}

function defaultTopic(name: string) {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
}

function describe(topic: Topic, request: MetadataRequest, broker: BrokerParts) {
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
      ? allOperations.topic
      : noOperations,
  }
}

function missing(name: string | null, topicId: string, errorCode: number) {
  return {
    errorCode,
    name,
    topicId,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: noOperations,
  }
}
