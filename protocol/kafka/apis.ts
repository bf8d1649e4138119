// The table of all APIs that can be encoded and decoded, by key. Which of them a broker serves and
// advertises is decided by its handlers.
// Contract: synchronous functions over bytes; invalid input is a MalformedError. Must never do I/O,
// or allocate by a length that was not checked against the input.

import { addOffsetsToTxn } from './apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from './apis/addPartitionsToTxn.ts'
import { alterClientQuotas } from './apis/alterClientQuotas.ts'
import { alterConfigs } from './apis/alterConfigs.ts'
import { alterPartitionReassignments } from './apis/alterPartitionReassignments.ts'
import { alterUserScramCredentials } from './apis/alterUserScramCredentials.ts'
import { apiVersions } from './apis/apiVersions.ts'
import { consumerGroupDescribe } from './apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from './apis/consumerGroupHeartbeat.ts'
import { createAcls } from './apis/createAcls.ts'
import { createPartitions } from './apis/createPartitions.ts'
import { createTopics } from './apis/createTopics.ts'
import { deleteAcls } from './apis/deleteAcls.ts'
import { deleteGroups } from './apis/deleteGroups.ts'
import { deleteRecords } from './apis/deleteRecords.ts'
import { deleteTopics } from './apis/deleteTopics.ts'
import { describeAcls } from './apis/describeAcls.ts'
import { describeClientQuotas } from './apis/describeClientQuotas.ts'
import { describeCluster } from './apis/describeCluster.ts'
import { describeConfigs } from './apis/describeConfigs.ts'
import { describeGroups } from './apis/describeGroups.ts'
import { describeLogDirs } from './apis/describeLogDirs.ts'
import { describeProducers } from './apis/describeProducers.ts'
import { describeTopicPartitions } from './apis/describeTopicPartitions.ts'
import { describeTransactions } from './apis/describeTransactions.ts'
import { describeUserScramCredentials } from './apis/describeUserScramCredentials.ts'
import { electLeaders } from './apis/electLeaders.ts'
import { endTxn } from './apis/endTxn.ts'
import { fetch } from './apis/fetch.ts'
import { findCoordinator } from './apis/findCoordinator.ts'
import { heartbeat } from './apis/heartbeat.ts'
import { incrementalAlterConfigs } from './apis/incrementalAlterConfigs.ts'
import { initProducerId } from './apis/initProducerId.ts'
import { joinGroup } from './apis/joinGroup.ts'
import { leaveGroup } from './apis/leaveGroup.ts'
import { listConfigResources } from './apis/listConfigResources.ts'
import { listGroups } from './apis/listGroups.ts'
import { listOffsets } from './apis/listOffsets.ts'
import { listPartitionReassignments } from './apis/listPartitionReassignments.ts'
import { listTransactions } from './apis/listTransactions.ts'
import { metadata } from './apis/metadata.ts'
import { offsetCommit } from './apis/offsetCommit.ts'
import { offsetDelete } from './apis/offsetDelete.ts'
import { offsetFetch } from './apis/offsetFetch.ts'
import { offsetForLeaderEpoch } from './apis/offsetForLeaderEpoch.ts'
import { produce } from './apis/produce.ts'
import { saslAuthenticate } from './apis/saslAuthenticate.ts'
import { saslHandshake } from './apis/saslHandshake.ts'
import { syncGroup } from './apis/syncGroup.ts'
import { txnOffsetCommit } from './apis/txnOffsetCommit.ts'
import { updateFeatures } from './apis/updateFeatures.ts'
import { writeTxnMarkers } from './apis/writeTxnMarkers.ts'
import {
  credentialApis,
  quorumApis,
  quotaApis,
  replicaApis,
  telemetryApis,
  tokenApis,
} from './refused/administration.ts'
import { controllerApis } from './refused/controllers.ts'
import { shareGroupApis } from './refused/shareGroups.ts'
import { streamsGroupApis } from './refused/streamsGroups.ts'
import type { RefusedApi } from './refusedApi.ts'
import type { Api } from './schema/schema.ts'

/** In the order of their keys. */
export const apis: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  writeTxnMarkers,
  txnOffsetCommit,
  describeAcls,
  createAcls,
  deleteAcls,
  describeConfigs,
  alterConfigs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeClientQuotas,
  alterClientQuotas,
  describeUserScramCredentials,
  alterUserScramCredentials,
  updateFeatures,
  describeCluster,
  describeProducers,
  describeTransactions,
  listTransactions,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  listConfigResources,
  describeTopicPartitions,
]

/** APIs that are decoded only to refuse them. */
export const refusedApis: readonly RefusedApi[] = [
  ...replicaApis,
  ...tokenApis,
  ...quotaApis,
  ...credentialApis,
  ...quorumApis,
  ...telemetryApis,
  ...controllerApis,
  ...shareGroupApis,
  ...streamsGroupApis,
]

const byKey: ReadonlyMap<number, Api> = new Map(
  [...refusedApis.map(({ api }) => api), ...apis].map((api) => [api.key, api]),
)

/** Includes APIs that are only refused. */
export function apiByKey(key: number): Api | undefined {
  return byKey.get(key)
}
