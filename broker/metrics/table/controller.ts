// Metrics of the controller and of what a node leads, by the names that kafka_exporter and the dashboards
// for Kafka's JMX metrics (kafka-mixin) have.

import type { MetricSpec } from '../../../protocol/telemetry/metricSpec.ts'

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
    help: 'Partitions without a leader: their data directory has failed, their own directory is missing, or their log could not be created.',
  },
  preferredReplicaImbalance: {
    name: 'kafka_controller_kafkacontroller_preferredreplicaimbalancecount',
    type: 'gauge',
    help: 'Partitions whose leader is not their first replica.',
  },
  deletingTopics: {
    name: 'kafka_controller_kafkacontroller_topicstodeletecount',
    type: 'gauge',
    help: 'Deleted topics whose logs or offsets are still to be removed.',
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
    help: 'Replicas of this broker that cannot be reached.',
  },
  underReplicated: {
    name: 'kafka_server_replicamanager_underreplicatedpartitions',
    type: 'gauge',
    help: 'Partitions led by this broker that have replicas which are not in sync.',
  },
  underMinIsr: {
    name: 'kafka_server_replicamanager_underminisrpartitioncount',
    type: 'gauge',
    help: 'Partitions led by this broker that have fewer replicas in sync than min.insync.replicas asks for.',
  },
  metadataCommands: {
    name: 'millrace_broker_metadata_log_commands',
    type: 'gauge',
    help: 'Commands in the metadata log since its last snapshot, which a start has to replay.',
  },
  metadataOffset: {
    name: 'millrace_broker_metadata_commands_total',
    type: 'counter',
    help: 'Commands ever appended to the metadata log.',
  },
  seriesLeftOut: {
    name: 'millrace_broker_metrics_series_left_out',
    type: 'gauge',
    help: 'Topics, partitions, groups or group_partitions without series of their own in this exposition, because there are more than http.metrics.max.topics, http.metrics.max.partitions or http.metrics.max.groups.',
    labels: ['of'],
  },
} as const satisfies Record<string, MetricSpec>
