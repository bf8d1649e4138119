// Metrics of topics and partitions. Families with the label `partition` are left out with
// http.metrics.partitions=false.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

const ofPartition = ['topic', 'partition'] as const

export const partitionMetrics = {
  partitions: {
    name: 'kafka_topic_partitions',
    type: 'gauge',
    help: 'Partitions of a topic.',
    labels: ['topic'],
  },
  topicLogBytes: {
    name: 'millrace_broker_topic_log_bytes',
    type: 'gauge',
    help: 'Bytes of all segments of a topic.',
    labels: ['topic'],
  },
  topicSegments: {
    name: 'millrace_broker_topic_segments',
    type: 'gauge',
    help: 'Segments of all partitions of a topic.',
    labels: ['topic'],
  },
  currentOffset: {
    name: 'kafka_topic_partition_current_offset',
    type: 'gauge',
    help: 'High watermark of a partition: the offset after the last record that consumers can read.',
    labels: ofPartition,
  },
  oldestOffset: {
    name: 'kafka_topic_partition_oldest_offset',
    type: 'gauge',
    help: 'Log start offset of a partition: the first offset that can be read.',
    labels: ofPartition,
  },
  logEndOffset: {
    name: 'kafka_log_log_logendoffset',
    type: 'gauge',
    help: 'Log end offset of a partition: the offset after the last record written, whether or not it is durable.',
    labels: ofPartition,
  },
  lastStableOffsetLag: {
    name: 'kafka_cluster_partition_laststableoffsetlag',
    type: 'gauge',
    help: 'High watermark minus last stable offset: offsets that read_committed consumers wait for.',
    labels: ofPartition,
  },
  logSize: {
    name: 'kafka_log_log_size',
    type: 'gauge',
    help: 'Bytes of all segments of a partition.',
    labels: ofPartition,
  },
  segments: {
    name: 'kafka_log_log_numlogsegments',
    type: 'gauge',
    help: 'Segments of a partition.',
    labels: ofPartition,
  },
  leader: {
    name: 'kafka_topic_partition_leader',
    type: 'gauge',
    help: 'Id of the leader of a partition; -1 when it has none.',
    labels: ofPartition,
  },
  leaderIsPreferred: {
    name: 'kafka_topic_partition_leader_is_preferred',
    type: 'gauge',
    help: '1 when the leader of a partition is its first replica, else 0.',
    labels: ofPartition,
  },
  replicas: {
    name: 'kafka_topic_partition_replicas',
    type: 'gauge',
    help: 'Replicas of a partition.',
    labels: ofPartition,
  },
  inSyncReplicas: {
    name: 'kafka_topic_partition_in_sync_replica',
    type: 'gauge',
    help: 'In-sync replicas of a partition.',
    labels: ofPartition,
  },
  underReplicated: {
    name: 'kafka_topic_partition_under_replicated_partition',
    type: 'gauge',
    help: '1 when a partition has out-of-sync replicas, else 0.',
    labels: ofPartition,
  },
} as const satisfies Record<string, MetricSpec>
