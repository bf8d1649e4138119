// Metrics of the controller and of the partitions that a node leads, under the names of
// kafka_exporter and of the dashboards for Kafka's JMX metrics (kafka-mixin).

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const controllerMetrics = {
  brokers: {
    name: 'kafka_brokers',
    type: 'gauge',
    help: 'Brokers of the cluster.',
  },
  brokerInfo: {
    name: 'kafka_broker_info',
    type: 'gauge',
    help: '1, with the id of a broker and the address that clients connect to as labels.',
    labels: ['id', 'address'],
  },
  activeControllers: {
    name: 'kafka_controller_kafkacontroller_activecontrollercount',
    type: 'gauge',
    help: '1 when this broker is the active controller, else 0.',
  },
  topics: {
    name: 'kafka_controller_kafkacontroller_globaltopiccount',
    type: 'gauge',
    help: 'Topics of the cluster.',
  },
  partitions: {
    name: 'kafka_controller_kafkacontroller_globalpartitioncount',
    type: 'gauge',
    help: 'Partitions of the cluster.',
  },
  offlinePartitions: {
    name: 'kafka_controller_kafkacontroller_offlinepartitionscount',
    type: 'gauge',
    help: "Partitions without a leader: the data directory has failed, the partition's directory is missing, or its log could not be created.",
  },
  preferredReplicaImbalance: {
    name: 'kafka_controller_kafkacontroller_preferredreplicaimbalancecount',
    type: 'gauge',
    help: 'Partitions whose leader is not their first replica.',
  },
  deletingTopics: {
    name: 'kafka_controller_kafkacontroller_topicstodeletecount',
    type: 'gauge',
    help: 'Deleted topics whose logs or committed offsets are not removed yet.',
  },
  replicaPartitions: {
    name: 'kafka_server_replicamanager_partitioncount',
    type: 'gauge',
    help: 'Partitions that this broker has a replica of.',
  },
  leaders: {
    name: 'kafka_server_replicamanager_leadercount',
    type: 'gauge',
    help: 'Partitions that this broker leads.',
  },
  offlineReplicas: {
    name: 'kafka_server_replicamanager_offlinereplicacount',
    type: 'gauge',
    help: 'Replicas of this broker that are offline.',
  },
  underReplicated: {
    name: 'kafka_server_replicamanager_underreplicatedpartitions',
    type: 'gauge',
    help: 'Partitions led by this broker that have out-of-sync replicas.',
  },
  underMinIsr: {
    name: 'kafka_server_replicamanager_underminisrpartitioncount',
    type: 'gauge',
    help: 'Partitions led by this broker with fewer in-sync replicas than min.insync.replicas.',
  },
  metadataCommands: {
    name: 'millrace_broker_metadata_log_commands',
    type: 'gauge',
    help: 'Commands in the metadata log since its last snapshot, which the next start replays.',
  },
  metadataOffset: {
    name: 'millrace_broker_metadata_commands_total',
    type: 'counter',
    help: 'Commands ever appended to the metadata log.',
  },
  pendingProposals: {
    name: 'millrace_broker_metadata_proposals_pending',
    type: 'gauge',
    help: 'Changes of the metadata (topics, partitions, configs) proposed and not yet answered.',
  },
  seriesLeftOut: {
    name: 'millrace_broker_metrics_series_left_out',
    type: 'gauge',
    help: 'Topics, partitions, groups or group_partitions without their own series in this exposition, because there are more than http.metrics.max.topics, http.metrics.max.partitions or http.metrics.max.groups.',
    labels: ['of'],
  },
} as const satisfies Record<string, MetricSpec>
