// The leader and the replicas of a partition, as clients see them: those that are registered,
// except that a partition whose log cannot be used on this broker has no leader and an offline
// replica.

import type { Topic } from '../../controller/metadata/metadataView.ts'
import { noLeader } from '../../controller/partitionRegistration.ts'
import type { BrokerParts } from '../request/requestContext.ts'

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
  const registration = replicas.registrationOf(topic, partition)
  return {
    leaderId: isOffline ? noLeader : registration.leader,
    leaderEpoch: registration.leaderEpoch,
    replicaNodes: registration.replicas,
    // The last in-sync replica stays in the ISR when it goes offline.
    isrNodes: registration.isr,
    offlineReplicas: isOffline ? [nodeId] : [],
  }
}
