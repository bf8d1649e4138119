// Metrics of consumer groups of both protocols. Families with the label `partition` are left out
// with http.metrics.partitions=false. The group label is `consumergroup`, as in kafka_exporter.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

const ofPartition = ['consumergroup', 'topic', 'partition'] as const
const ofTopic = ['consumergroup', 'topic'] as const

export const groupMetrics = {
  groups: {
    name: 'millrace_consumer_groups',
    type: 'gauge',
    help: 'Consumer groups by protocol (classic, consumer) and state.',
    labels: ['protocol', 'state'],
  },
  info: {
    name: 'millrace_consumer_group_info',
    type: 'gauge',
    help: '1, with the protocol and the current state of a group as labels.',
    labels: ['consumergroup', 'protocol', 'state'],
  },
  generation: {
    name: 'millrace_consumer_group_generation',
    type: 'gauge',
    help: 'Generation of a classic group, or epoch of a KIP-848 group; increases with every rebalance.',
    labels: ['consumergroup'],
  },
  members: {
    name: 'kafka_consumergroup_members',
    type: 'gauge',
    help: 'Members of a group.',
    labels: ['consumergroup'],
  },
  currentOffset: {
    name: 'kafka_consumergroup_current_offset',
    type: 'gauge',
    help: 'Committed offset of a group for a partition.',
    labels: ofPartition,
  },
  currentOffsetSum: {
    name: 'kafka_consumergroup_current_offset_sum',
    type: 'gauge',
    help: 'Sum of the committed offsets of a group over the partitions of a topic.',
    labels: ofTopic,
  },
  lag: {
    name: 'kafka_consumergroup_lag',
    type: 'gauge',
    help: 'Lag of a group in a partition: its high watermark minus the committed offset.',
    labels: ofPartition,
  },
  lagSum: {
    name: 'kafka_consumergroup_lag_sum',
    type: 'gauge',
    help: 'Sum of the lag of a group over the partitions of a topic.',
    labels: ofTopic,
  },
  lagSeconds: {
    name: 'millrace_consumer_group_lag_seconds',
    type: 'gauge',
    help: 'Age of the first record that a group has not committed, from its timestamp; 0 when all records are committed. Read from the log in the background.',
    labels: ofPartition,
  },
  lagMaxSeconds: {
    name: 'millrace_consumer_group_lag_max_seconds',
    type: 'gauge',
    help: 'Largest lag in seconds of a group over the partitions of a topic.',
    labels: ofTopic,
  },
  lagStaleness: {
    name: 'millrace_consumer_group_lag_staleness_seconds',
    type: 'gauge',
    help: 'Age of the oldest lag in seconds; large when the background reads cannot keep up with the number of groups.',
  },
} as const satisfies Record<string, MetricSpec>
