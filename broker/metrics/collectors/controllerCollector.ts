// Exposes the controller, and the partitions that this node leads, for a cluster of one node.

import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import { addressText } from '../../configuration/listenerAddress.ts'
import type { Controller } from '../../controller/controller.ts'
import type { BrokerServer } from '../../server/brokerServer.ts'
import type { PartitionSnapshot } from '../partitionSnapshot.ts'
import { controllerMetrics } from '../table/controller.ts'
import type { Collectors } from './collectors.ts'

export interface ControllerSources {
  readonly nodeId: number
  readonly controller: Pick<Controller, 'state' | 'metadataCommands' | 'pendingProposals'>
  readonly server: Pick<BrokerServer, 'listeners'>
  readonly snapshot: PartitionSnapshot
}

export function collectController(
  collectors: Collectors,
  { nodeId, controller, server, snapshot }: ControllerSources,
): void {
  const spec = controllerMetrics
  const offline = () => snapshot.partitionCount - snapshot.ledCount
  collectors.value(spec.brokers, () => 1)
  collectors.samples(spec.brokerInfo, (sample) => {
    const addresses = server.listeners.map(({ advertised }) => addressText(advertised))
    for (const address of new Set(addresses)) sample(labelText({ id: nodeId, address }), 1)
  })
  collectors.value(spec.activeControllers, () => 1)
  collectors.value(spec.topics, () => snapshot.topicCount)
  collectors.value(spec.partitions, () => snapshot.partitionCount)
  collectors.value(spec.offlinePartitions, offline)
  collectors.value(spec.preferredReplicaImbalance, () => 0)
  collectors.value(spec.deletingTopics, () => controller.state.deleting().length)
  collectors.value(spec.replicaPartitions, () => snapshot.partitionCount)
  collectors.value(spec.leaders, () => snapshot.ledCount)
  collectors.value(spec.offlineReplicas, offline)
  collectors.value(spec.underReplicated, () => 0)
  collectors.value(spec.underMinIsr, () => 0)
  collectors.value(spec.metadataCommands, () => controller.metadataCommands.sinceSnapshot)
  collectors.value(spec.metadataOffset, () => controller.metadataCommands.appended)
  collectors.value(spec.pendingProposals, () => controller.pendingProposals)
}
