// Registers all metrics of a broker, and takes its snapshots once before each exposition.

import type { Coordination } from '../../protocol/coordination/coordination.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { labelText, type Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import type { LogCleaner } from '../log/cleaner/logCleaner.ts'
import type { LogManager } from '../log/logManager.ts'
import type { BrokerServer } from '../server/brokerServer.ts'
import type { BrokerParts } from '../server/request/requestContext.ts'
import { Collectors } from './collectors/collectors.ts'
import { collectConnections } from './collectors/connectionCollector.ts'
import { collectController } from './collectors/controllerCollector.ts'
import { collectCoordination } from './collectors/coordinationCollector.ts'
import { collectCoordinators } from './collectors/coordinatorCollector.ts'
import { collectDisks } from './collectors/diskCollector.ts'
import { collectGroups } from './collectors/groupCollector.ts'
import { collectMaintenance, type StartFigures } from './collectors/maintenanceCollector.ts'
import { collectPartitions, leftOut } from './collectors/partitionCollector.ts'
import { collectRequests } from './collectors/requestCollector.ts'
import { collectTransactions } from './collectors/transactionCollector.ts'
import { DiskMonitor } from './diskMonitor.ts'
import { GroupSnapshot } from './groupSnapshot.ts'
import { LagLookups } from './lagLookups.ts'
import { PartitionSnapshot } from './partitionSnapshot.ts'
import { controllerMetrics } from './table/controller.ts'

export interface BrokerSources {
  readonly runtime: Pick<Runtime, 'clock' | 'disk'>
  readonly parts: BrokerParts
  readonly server: BrokerServer
  readonly logs: LogManager
  readonly cleaner: LogCleaner
  readonly start: StartFigures
  readonly coordination: Coordination | undefined
}

/** Returns a function that removes the metrics; it resolves when no read for them is in flight. */
export function exposeBroker(metrics: Metrics, sources: BrokerSources): () => Promise<void> {
  const { runtime, parts, server, logs, cleaner, start, coordination } = sources
  const { nodeId, controller, replicas, traffic, groups, transactions } = parts
  const { clock, disk } = runtime
  const limits = () => parts.config
  const reservedBytes = parts.config['log.dir.reserved.bytes']
  const snapshot = new PartitionSnapshot({ state: controller.state, logs, replicas })
  const monotonicMs = () => clock.monotonicMs()
  const groupSnapshot = new GroupSnapshot({ groups, partitions: snapshot, monotonicMs, limits })
  const lookups = new LagLookups(clock, parts.logger)
  const monitor = new DiskMonitor({ clock, disk, logs, reservedBytes })
  const collectors = new Collectors(metrics)
  collectors.before(() => {
    snapshot.take()
    groupSnapshot.take()
    return lookups.refresh(groupSnapshot.lags())
  })
  const { requestFigures, followedRequests, fetchSessions, transactionalAppends } = parts
  collectRequests(collectors, {
    ...{ requestFigures, followedRequests, fetchSessions, server, replicas, transactionalAppends },
  })
  collectPartitions(collectors, { nodeId, snapshot, traffic, limits })
  collectGroups(collectors, { snapshot: groupSnapshot, clock, limits })
  collectTransactions(collectors, { clock, transactions })
  collectCoordinators(collectors, { groups, transactions })
  collectConnections(collectors, { server, groups, logs })
  collectDisks(collectors, { logs, monitor, snapshot, reservedBytes })
  collectMaintenance(collectors, { logs, cleaner, start })
  collectCoordination(collectors, coordination)
  collectController(collectors, { nodeId, controller, server, snapshot })
  collectors.samples(controllerMetrics.seriesLeftOut, (sample) => {
    const { topics, partitions: leftOutPartitions } = leftOut(snapshot, limits())
    sample(labelText({ of: 'topics' }), topics)
    sample(labelText({ of: 'partitions' }), leftOutPartitions)
    sample(labelText({ of: 'groups' }), groupSnapshot.leftOutGroups)
    sample(labelText({ of: 'group_partitions' }), groupSnapshot.leftOutPartitions)
  })
  return async () => {
    collectors.end()
    await Promise.all([lookups.close(), monitor.close()])
  }
}
