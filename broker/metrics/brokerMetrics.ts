// The table of all metrics of a broker, by concern. Their collectors are in this folder: what no row
// describes is not exposed, and every row has a collector.

import type { MetricSpec } from '../../protocol/telemetry/metricSpec.ts'
import { brokerAlerts } from './brokerAlerts.ts'
import { brokerPanels } from './brokerPanels.ts'
import { connectionMetrics } from './table/connections.ts'
import { controllerMetrics } from './table/controller.ts'
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
  connectionMetrics,
  diskMetrics,
  maintenanceMetrics,
  controllerMetrics,
]
  .flatMap((metrics): MetricSpec[] => Object.values(metrics))
  .map((metric) => {
    const panels = brokerPanels[metric.name]
    const alerts = brokerAlerts[metric.name]
    return { ...metric, ...(panels && { panels }), ...(alerts && { alerts }) }
  })
