// The routes of Confluent's REST API v3, one file each, by resource: clusters/, brokers/, configs/,
// topics/, partitions/, groups/, records/. A file named after a resource (topic.ts, lag.ts) has its
// schema and its translation; resource.ts, links.ts and pathParameters.ts are shared. Contract:
// shapes and paths are Confluent's; docs/rest-differences.md lists every difference.

import type { AdminRoute } from '../adminRoute.ts'
import { getBroker } from './brokers/getBroker.ts'
import { listBrokerReplicas } from './brokers/listBrokerReplicas.ts'
import { listBrokers } from './brokers/listBrokers.ts'
import { getCluster } from './clusters/getCluster.ts'
import { listClusters } from './clusters/listClusters.ts'
import { alterBrokerConfigs } from './configs/alterBrokerConfigs.ts'
import { alterClusterConfigs } from './configs/alterClusterConfigs.ts'
import { alterTopicConfigs } from './configs/alterTopicConfigs.ts'
import { getBrokerConfig } from './configs/getBrokerConfig.ts'
import { getClusterConfig } from './configs/getClusterConfig.ts'
import { getTopicConfig } from './configs/getTopicConfig.ts'
import { listAllBrokerConfigs } from './configs/listAllBrokerConfigs.ts'
import { listAllTopicConfigs } from './configs/listAllTopicConfigs.ts'
import { listBrokerConfigs } from './configs/listBrokerConfigs.ts'
import { listClusterConfigs } from './configs/listClusterConfigs.ts'
import { listTopicConfigs } from './configs/listTopicConfigs.ts'
import { resetBrokerConfig } from './configs/resetBrokerConfig.ts'
import { resetClusterConfig } from './configs/resetClusterConfig.ts'
import { resetTopicConfig } from './configs/resetTopicConfig.ts'
import { updateBrokerConfig } from './configs/updateBrokerConfig.ts'
import { updateClusterConfig } from './configs/updateClusterConfig.ts'
import { updateTopicConfig } from './configs/updateTopicConfig.ts'
import { getAssignment } from './groups/getAssignment.ts'
import { getConsumer } from './groups/getConsumer.ts'
import { getConsumerGroup } from './groups/getConsumerGroup.ts'
import { getLag } from './groups/getLag.ts'
import { getLagSummary } from './groups/getLagSummary.ts'
import { listAssignments } from './groups/listAssignments.ts'
import { listConsumerGroups } from './groups/listConsumerGroups.ts'
import { listConsumers } from './groups/listConsumers.ts'
import { listLags } from './groups/listLags.ts'
import { getPartition } from './partitions/getPartition.ts'
import { getPartitionOffsets } from './partitions/getPartitionOffsets.ts'
import { getReassignment } from './partitions/getReassignment.ts'
import { getReplica } from './partitions/getReplica.ts'
import { listAllReassignments } from './partitions/listAllReassignments.ts'
import { listPartitions } from './partitions/listPartitions.ts'
import { listReplicas } from './partitions/listReplicas.ts'
import { listTopicReassignments } from './partitions/listTopicReassignments.ts'
import { produceBatch } from './records/produceBatch.ts'
import { produceRecords } from './records/produceRecords.ts'
import { createTopic } from './topics/createTopic.ts'
import { deleteTopic } from './topics/deleteTopic.ts'
import { getTopic } from './topics/getTopic.ts'
import { listTopics } from './topics/listTopics.ts'
import { updatePartitionCount } from './topics/updatePartitionCount.ts'

export const v3Routes: readonly AdminRoute[] = [
  getCluster,
  listClusters,
  getBroker,
  listBrokerReplicas,
  listBrokers,
  alterBrokerConfigs,
  alterClusterConfigs,
  alterTopicConfigs,
  getBrokerConfig,
  getClusterConfig,
  getTopicConfig,
  listAllBrokerConfigs,
  listAllTopicConfigs,
  listBrokerConfigs,
  listClusterConfigs,
  listTopicConfigs,
  resetBrokerConfig,
  resetClusterConfig,
  resetTopicConfig,
  updateBrokerConfig,
  updateClusterConfig,
  updateTopicConfig,
  createTopic,
  deleteTopic,
  getTopic,
  listTopics,
  updatePartitionCount,
  getPartition,
  getPartitionOffsets,
  getReassignment,
  getReplica,
  listAllReassignments,
  listPartitions,
  listReplicas,
  listTopicReassignments,
  getAssignment,
  getConsumer,
  getConsumerGroup,
  getLag,
  getLagSummary,
  listAssignments,
  listConsumerGroups,
  listConsumers,
  listLags,
  produceBatch,
  produceRecords,
]
