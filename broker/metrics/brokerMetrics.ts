// The table of all metrics of a broker, by concern. The collectors (collectors/) fill it.
// Contract: nothing is exposed that no row describes, and every row has a collector. Must never do
// disk I/O while an exposition waits without a bound, nor grow the number of series beyond the
// http.metrics.max.* limits.

import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { brokerAlerts } from './brokerAlerts.ts'
import { brokerPanels } from './brokerPanels.ts'
import { connectionMetrics } from './table/connections.ts'
import { controllerMetrics } from './table/controller.ts'
import { coordinationMetrics } from './table/coordination.ts'
import { coordinatorMetrics } from './table/coordinators.ts'
import { diskMetrics } from './table/disks.ts'
import { groupMetrics } from './table/groups.ts'
import { maintenanceMetrics } from './table/maintenance.ts'
import { partitionMetrics } from './table/partitions.ts'
import { requestMetrics } from './table/requests.ts'
import { trafficMetrics } from './table/traffic.ts'
import { transactionMetrics } from './table/transactions.ts'

export const brokerMetrics: readonly MetricSpec[] = [
  requestMetrics,
  trafficMetrics,
  partitionMetrics,
  groupMetrics,
  transactionMetrics,
  coordinatorMetrics,
  connectionMetrics,
  diskMetrics,
  maintenanceMetrics,
  controllerMetrics,
  coordinationMetrics,
]
  .flatMap((metrics): MetricSpec[] => Object.values(metrics))
  .map((metric) => {
    const panels = brokerPanels[metric.name]
    const alerts = brokerAlerts[metric.name]
    return { ...metric, ...(panels && { panels }), ...(alerts && { alerts }) }
  })
