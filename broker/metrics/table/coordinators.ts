// Metrics of the queues of both coordinators. The label `coordinator` is group or transaction.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

const ofCoordinator = ['coordinator'] as const

export const coordinatorMetrics = {
  waitingRequests: {
    name: 'millrace_broker_coordinator_requests_waiting',
    type: 'gauge',
    help: 'Requests to a coordinator that are not answered yet; a JoinGroup waits for the rebalance of its group.',
    labels: ofCoordinator,
  },
  pendingWrites: {
    name: 'millrace_broker_coordinator_writes_pending',
    type: 'gauge',
    help: 'Writes of a coordinator in flight: appends to its topic, and for transactions also markers and allocations of producer ids.',
    labels: ofCoordinator,
  },
} as const satisfies Record<string, MetricSpec>
