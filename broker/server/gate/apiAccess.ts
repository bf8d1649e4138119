// The access that each API needs, by Kafka's documented rules (docs, "Operations and resources on
// protocols", and KafkaApis.scala where the two differ). One table: an API that is not declared
// here must not be served.
//
// A requirement is checked in one of two places. Resources that the request names are checked by
// RequestGate before the handler runs (`names`). Resources that only the broker's state names, such
// as those of a list of all groups, are checked by the handler, which asks `context.access`.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { alterConfigs } from '../../../protocol/kafka/apis/alterConfigs.ts'
import { alterPartitionReassignments } from '../../../protocol/kafka/apis/alterPartitionReassignments.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createAcls } from '../../../protocol/kafka/apis/createAcls.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteAcls } from '../../../protocol/kafka/apis/deleteAcls.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { describeClientQuotas } from '../../../protocol/kafka/apis/describeClientQuotas.ts'
import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { describeProducers } from '../../../protocol/kafka/apis/describeProducers.ts'
import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { describeUserScramCredentials } from '../../../protocol/kafka/apis/describeUserScramCredentials.ts'
import { electLeaders } from '../../../protocol/kafka/apis/electLeaders.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { listConfigResources } from '../../../protocol/kafka/apis/listConfigResources.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { listPartitionReassignments } from '../../../protocol/kafka/apis/listPartitionReassignments.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/offsetForLeaderEpoch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { saslAuthenticate } from '../../../protocol/kafka/apis/saslAuthenticate.ts'
import { saslHandshake } from '../../../protocol/kafka/apis/saslHandshake.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { updateFeatures } from '../../../protocol/kafka/apis/updateFeatures.ts'
import { writeTxnMarkers } from '../../../protocol/kafka/apis/writeTxnMarkers.ts'
import type { Api, RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { ResourceType } from '../../controller/configRequests.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { type AclOperation, type AclResourceType, clusterResource } from './authorizer.ts'

/** Finds the names of topics that a request gives by id. */
export interface TopicCatalog {
  topicById(id: string): Pick<Topic, 'name'> | undefined
}

type Names<Request> = (request: Request, topics: TopicCatalog) => Iterable<string>

export interface Requirement<Request = unknown> {
  readonly operation: AclOperation
  readonly resourceType: AclResourceType
  /** Returns the resources in the request, all of which are needed. Undefined: the handler asks. */
  readonly names: Names<Request> | undefined
  /** An operation on the cluster that satisfies the requirement for all names. */
  readonly orOnCluster?: AclOperation
}

export interface ApiAccess {
  readonly api: Api
  readonly requirements: readonly Requirement[]
}

/** Binds requirements to an API. The compiler checks them against its request. */
function access<A extends Api>(api: A, ...requirements: Requirement<RequestOf<A>>[]): ApiAccess {
  return { api, requirements: requirements as Requirement[] }
}

function on<Request>(
  operation: AclOperation,
  resourceType: Exclude<AclResourceType, 'cluster'>,
  names: Names<Request>,
  orOnCluster?: AclOperation,
): Requirement<Request> {
  const requirement = { operation, resourceType, names }
  return orOnCluster === undefined ? requirement : { ...requirement, orOnCluster }
}

function onCluster(operation: AclOperation, orOnCluster?: AclOperation): Requirement<unknown> {
  return onClusterWhen(operation, () => true, orOnCluster)
}

function onClusterWhen<Request>(
  operation: AclOperation,
  isNeeded: (request: Request) => boolean,
  orOnCluster?: AclOperation,
): Requirement<Request> {
  const names = (request: Request) => (isNeeded(request) ? [clusterResource] : [])
  const requirement = { operation, resourceType: 'cluster', names } as const
  return orOnCluster === undefined ? requirement : { ...requirement, orOnCluster }
}

/** A requirement that the handler checks, for resources that the request does not name. */
function askedByHandler(
  operation: AclOperation,
  resourceType: AclResourceType,
  orOnCluster?: AclOperation,
): Requirement<unknown> {
  const requirement = { operation, resourceType, names: undefined }
  return orOnCluster === undefined ? requirement : { ...requirement, orOnCluster }
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}

function topicOf({ topic }: { readonly topic: string }): string {
  return topic
}

function present(name: string | null): string[] {
  return name === null ? [] : [name]
}

interface NamedOrIdentified {
  readonly name: string | null
  readonly topicId: string
}

/**
 * Returns the names of topics. A topic with an unknown id has no name to check: its handler answers
 * that the id is unknown.
 */
function topicNames(all: readonly NamedOrIdentified[], topics: TopicCatalog): string[] {
  return all.flatMap(({ name, topicId }) => present(name || topicNameById(topicId, topics)))
}

function topicNameById(topicId: string, topics: TopicCatalog): string | null {
  return topics.topicById(topicId)?.name ?? null
}

function groupOf({ groupId }: { readonly groupId: string }): string[] {
  return [groupId]
}

function transactionalIdOf(request: { readonly transactionalId: string | null }): string[] {
  return present(request.transactionalId)
}

interface ConfigResources {
  readonly resources: readonly { readonly resourceType: number; readonly resourceName: string }[]
}

/** Requirements on configs. Those of brokers and of their loggers are configs of the cluster. */
function onConfigs(operation: AclOperation): Requirement<ConfigResources>[] {
  const named = (type: number) => (request: ConfigResources) =>
    request.resources
      .filter(({ resourceType }) => resourceType === type)
      .map(({ resourceName }) => resourceName)
  const isOfBroker = ({ resources }: ConfigResources) =>
    resources.some(
      ({ resourceType }) =>
        resourceType !== ResourceType.topic && resourceType !== ResourceType.group,
    )
  return [
    onClusterWhen(operation, isOfBroker),
    on(operation, 'topic', named(ResourceType.topic)),
    on(operation, 'group', named(ResourceType.group)),
  ]
}

const groupKey = 0
const transactionKey = 1

function coordinatorKeys(type: number) {
  return ({ key, keyType, coordinatorKeys }: RequestOf<typeof findCoordinator>): string[] => {
    if (keyType !== type) return []
    return coordinatorKeys.length > 0 ? [...coordinatorKeys] : [key]
  }
}

type AddPartitions = RequestOf<typeof addPartitionsToTxn>

/**
 * The names of a request up to version 3. A request of version 4 and above, which brokers send,
 * needs access to the cluster.
 */
function ofOneTransaction(names: Names<AddPartitions>): Names<AddPartitions> {
  return (request, topics) => (request.transactions.length > 0 ? [] : names(request, topics))
}

export const apiAccess: readonly ApiAccess[] = [
  // Producing and fetching.
  access(
    produce,
    on('write', 'transactionalId', transactionalIdOf),
    on('write', 'topic', ({ topicData }, topics) => topicNames(topicData, topics)),
  ),
  access(
    fetch,
    // Partitions of an incremental session were checked in the request that added them.
    onClusterWhen('clusterAction', isOfFollower),
    on('read', 'topic', (request, topics) =>
      isOfFollower(request)
        ? []
        : request.topics.flatMap(({ topic, topicId }) =>
            present(topic || topicNameById(topicId, topics)),
          ),
    ),
  ),
  access(
    listOffsets,
    on('describe', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(
    offsetForLeaderEpoch,
    on('describe', 'topic', ({ topics }) => topics.map(topicOf), 'clusterAction'),
  ),
  access(
    deleteRecords,
    on('delete', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(
    initProducerId,
    on('write', 'transactionalId', transactionalIdOf),
    onClusterWhen('idempotentWrite', ({ transactionalId }) => transactionalId === null),
  ),
  // Groups.
  access(
    findCoordinator,
    on('describe', 'group', coordinatorKeys(groupKey)),
    on('describe', 'transactionalId', coordinatorKeys(transactionKey)),
  ),
  access(joinGroup, on('read', 'group', groupOf)),
  access(syncGroup, on('read', 'group', groupOf)),
  access(heartbeat, on('read', 'group', groupOf)),
  access(leaveGroup, on('read', 'group', groupOf)),
  access(
    consumerGroupHeartbeat,
    on('read', 'group', groupOf),
    on('describe', 'topic', ({ subscribedTopicNames }) => subscribedTopicNames ?? []),
  ),
  access(
    offsetCommit,
    on('read', 'group', groupOf),
    on('read', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(
    offsetFetch,
    on('describe', 'group', ({ groupId, groups }) =>
      groups.length > 0 ? groups.map((group) => group.groupId) : [groupId],
    ),
    on('describe', 'topic', ({ topics, groups }, catalog) => [
      ...(topics ?? []).map(nameOf),
      ...groups.flatMap((group) => topicNames(group.topics ?? [], catalog)),
    ]),
  ),
  access(
    offsetDelete,
    on('delete', 'group', groupOf),
    on('read', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(
    describeGroups,
    on('describe', 'group', ({ groups }) => groups),
  ),
  access(
    consumerGroupDescribe,
    on('describe', 'group', ({ groupIds }) => groupIds),
  ),
  access(listGroups, askedByHandler('describe', 'group', 'describe')),
  access(
    deleteGroups,
    on('delete', 'group', ({ groupsNames }) => groupsNames),
  ),
  // Transactions.
  access(
    addPartitionsToTxn,
    onClusterWhen('clusterAction', ({ transactions }) => transactions.length > 0),
    on(
      'write',
      'transactionalId',
      ofOneTransaction(({ v3AndBelowTransactionalId }) => [v3AndBelowTransactionalId]),
    ),
    on(
      'write',
      'topic',
      ofOneTransaction(({ v3AndBelowTopics }) => v3AndBelowTopics.map(nameOf)),
    ),
  ),
  access(
    addOffsetsToTxn,
    on('write', 'transactionalId', transactionalIdOf),
    on('read', 'group', groupOf),
  ),
  access(endTxn, on('write', 'transactionalId', transactionalIdOf)),
  access(
    txnOffsetCommit,
    on('write', 'transactionalId', transactionalIdOf),
    on('read', 'group', groupOf),
    on('read', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(writeTxnMarkers, onCluster('clusterAction', 'alter')),
  access(
    describeProducers,
    on('read', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  access(
    describeTransactions,
    on('describe', 'transactionalId', ({ transactionalIds }) => transactionalIds),
  ),
  access(listTransactions, askedByHandler('describe', 'transactionalId')),
  // Topics.
  access(
    metadata,
    on('describe', 'topic', ({ topics }, catalog) => topicNames(topics ?? [], catalog)),
    askedByHandler('describe', 'topic'),
    askedByHandler('create', 'topic', 'create'),
  ),
  access(
    describeTopicPartitions,
    on('describe', 'topic', ({ topics }) => topics.map(nameOf)),
    askedByHandler('describe', 'topic'),
  ),
  access(
    createTopics,
    on('create', 'topic', ({ topics }) => topics.map(nameOf), 'create'),
    askedByHandler('describeConfigs', 'topic'),
  ),
  access(
    deleteTopics,
    on('delete', 'topic', ({ topics, topicNames: names }, catalog) => [
      ...names,
      ...topicNames(topics, catalog),
    ]),
  ),
  access(
    createPartitions,
    on('alter', 'topic', ({ topics }) => topics.map(nameOf)),
  ),
  // Configs.
  access(describeConfigs, ...onConfigs('describeConfigs')),
  access(alterConfigs, ...onConfigs('alterConfigs')),
  access(incrementalAlterConfigs, ...onConfigs('alterConfigs')),
  access(listConfigResources, onCluster('describeConfigs')),
  // The cluster.
  access(describeCluster, askedByHandler('describe', 'cluster')),
  access(describeLogDirs, onCluster('describe')),
  access(electLeaders, onCluster('alter')),
  access(alterPartitionReassignments, onCluster('alter')),
  access(listPartitionReassignments, onCluster('describe')),
  access(updateFeatures, onCluster('alter')),
  access(describeClientQuotas, onCluster('describeConfigs')),
  access(describeUserScramCredentials, onCluster('describe')),
  access(describeAcls, onCluster('describe')),
  access(createAcls, onCluster('alter')),
  access(deleteAcls, onCluster('alter')),
  // APIs that are answered before a client has authenticated.
  access(apiVersions),
  access(saslHandshake),
  access(saslAuthenticate),
]

/**
 * Whether a request names a replica. It then needs the access of a broker, whatever the client may
 * read (CVE-2018-1288).
 */
function isOfFollower({ replicaId, replicaState }: RequestOf<typeof fetch>): boolean {
  return replicaId >= 0 || replicaState.replicaId >= 0
}
