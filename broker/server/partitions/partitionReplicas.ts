// Who leads a partition and who has it, as clients are told: this node, unless the data folder that the
// partition lies in has failed, or its log cannot be created yet. Then nobody leads it, and its only replica is
// offline.

import type { Topic } from '../../controller/metadata/metadataView.ts'
import type { BrokerParts } from '../request/requestContext.ts'

const noLeader = -1

export interface PartitionReplicas {
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export function replicasOf(
  topic: Topic,
  partition: number,
  { replicas, nodeId }: BrokerParts,
): PartitionReplicas {
  const isOffline = !replicas.isLed(topic, partition)
  return {
    leaderId: isOffline ? noLeader : nodeId,
    leaderEpoch: replicas.leaderEpoch(topic, partition),
    replicaNodes: [nodeId],
    // It is the last one that had everything, and stays that.
    isrNodes: [nodeId],
    offlineReplicas: isOffline ? [nodeId] : [],
  }
}
