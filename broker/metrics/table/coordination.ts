// Metrics of a broker's part in coordination.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const coordinationMetrics = {
  connected: {
    name: 'millrace_broker_coordination_connected',
    type: 'gauge',
    help: '1 while the coordination log can be reached and written. While it cannot, topics, configs and leaders do not change; produces and fetches are served.',
  },
  damaged: {
    name: 'millrace_broker_coordination_damaged',
    type: 'gauge',
    help: '1 when the coordination log lost entries, forked, or was created anew: nothing changes until it is repaired.',
  },
  entries: {
    name: 'millrace_broker_coordination_entry',
    type: 'gauge',
    help: 'Sequence of the last entry of the coordination log that this broker has folded. Starts again with a repaired log.',
  },
  pendingRequests: {
    name: 'millrace_broker_coordination_requests_pending',
    type: 'gauge',
    help: 'Changes that this broker proposed to coordination and that are not answered yet.',
  },
  sessions: {
    name: 'millrace_broker_coordination_sessions',
    type: 'gauge',
    help: 'Sessions of all members of coordination: brokers, agents, jobs.',
  },
} as const satisfies Record<string, MetricSpec>
