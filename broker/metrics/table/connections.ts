// Metrics of connections and of the memory budgets that all clients share.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const connectionMetrics = {
  open: {
    name: 'millrace_broker_connections',
    type: 'gauge',
    help: 'Open client connections, by listener.',
    labels: ['listener'],
  },
  accepted: {
    name: 'millrace_broker_connections_accepted_total',
    type: 'counter',
    help: 'Client connections accepted, by listener.',
    labels: ['listener'],
  },
  refused: {
    name: 'millrace_broker_connections_refused_total',
    type: 'counter',
    help: 'Client connections refused, by the option whose limit was reached.',
    labels: ['limit'],
  },
  delayed: {
    name: 'millrace_broker_connections_delayed_total',
    type: 'counter',
    help: 'Client connections that had to wait because of max.connection.creation.rate, by listener.',
    labels: ['listener'],
  },
  closed: {
    name: 'millrace_broker_connections_closed_total',
    type: 'counter',
    help: 'Client connections closed, by reason: client, idle (connections.max.idle.ms), stalled, malformed, costly (a request takes too much memory), refused (an append with acks=0), failed or shutdown.',
    labels: ['reason'],
  },
  paused: {
    name: 'millrace_broker_connections_paused',
    type: 'gauge',
    help: 'Client connections that are paused (not read) because their own or the shared memory limit is reached.',
  },
  memoryUsed: {
    name: 'millrace_broker_memory_used_bytes',
    type: 'gauge',
    help: 'Bytes used of a memory budget: requests (received, not yet answered), decoded (the same requests, decoded), responses (not yet taken by the network), group_members (metadata and assignments of group members).',
    labels: ['budget'],
  },
  memoryLimit: {
    name: 'millrace_broker_memory_limit_bytes',
    type: 'gauge',
    help: 'Limit of a memory budget; +Inf when it has no limit.',
    labels: ['budget'],
  },
  memoryWaits: {
    name: 'millrace_broker_memory_waits_total',
    type: 'counter',
    help: 'Times that a connection had to wait for room in a memory budget.',
    labels: ['budget'],
  },
  indexCache: {
    name: 'millrace_broker_index_cache_bytes',
    type: 'gauge',
    help: 'Bytes of memory held by the indexes of inactive segments.',
  },
} as const satisfies Record<string, MetricSpec>
