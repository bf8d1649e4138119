// Exposes connections and the memory budgets that all clients share.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { GroupService } from '../../groups/groupService.ts'
import type { LogManager } from '../../log/logManager.ts'
import type { BrokerServer, BudgetFigures, ListenerFigures } from '../../server/brokerServer.ts'
import { connectionMetrics } from '../table/connections.ts'
import { type Collectors, LabelTexts } from './collectors.ts'

export interface ConnectionSources {
  readonly server: Pick<
    BrokerServer,
    'listenerFigures' | 'refusals' | 'closed' | 'connections' | 'budgets'
  >
  readonly groups: Pick<GroupService, 'memberMemory'>
  readonly logs: Pick<LogManager, 'indexCacheBytes'>
}

export function collectConnections(
  collectors: Collectors,
  { server, groups, logs }: ConnectionSources,
): void {
  const spec = connectionMetrics
  const listeners = (metric: MetricSpec, read: (figures: ListenerFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const each of server.listenerFigures)
        sample(labelText({ listener: each.name }), read(each))
    })
  listeners(spec.open, ({ open }) => open)
  listeners(spec.accepted, ({ accepted }) => accepted)
  listeners(spec.delayed, ({ delayed }) => delayed)
  collectors.samples(spec.refused, (sample) => {
    for (const [limit, count] of server.refusals) sample(labelText({ limit }), count)
  })
  collectors.samples(spec.closed, (sample) => {
    for (const [reason, count] of server.closed) sample(labelText({ reason }), count)
  })
  collectors.value(spec.paused, () => {
    let paused = 0
    for (const { isPaused } of server.connections) if (isPaused) paused++
    return paused
  })
  const ofBudget = new LabelTexts((budget) => labelText({ budget }))
  const budgets = (metric: MetricSpec, read: (budget: BudgetFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const each of allBudgets()) sample(ofBudget.of(each.name), read(each))
    })
  const allBudgets = () => {
    const { takenBytes: usedBytes, maxBytes: limitBytes } = groups.memberMemory
    return [...server.budgets, { name: 'group_members', usedBytes, limitBytes, waits: 0 }]
  }
  budgets(spec.memoryUsed, ({ usedBytes }) => usedBytes)
  budgets(spec.memoryLimit, ({ limitBytes }) => limitBytes)
  budgets(spec.memoryWaits, ({ waits }) => waits)
  collectors.value(spec.indexCache, () => logs.indexCacheBytes)
}
