// The alert rules of a broker, by metric name. The rules follow kafka-mixin and Redpanda's; those
// of consumer groups follow Burrow's verdicts as far as metrics can express them.

import type { AlertSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'

const lagAction =
  'Check the members of the group and the time they take per record. More partitions and more members share the work; records that retention deletes before they are read are lost.'
/** Errors of normal operation: at a join, in a rebalance, when a fetch session has expired. */
const orderlyErrors = [
  ...['MEMBER_ID_REQUIRED', 'REBALANCE_IN_PROGRESS'],
  ...['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'],
].join('|')
const replicaAction =
  'Find the broker that is down or slow: kafka_topic_partition_under_replicated_partition names the partitions. Do not restart another broker until the replicas are in sync again.'

export const brokerAlerts: Readonly<Record<string, readonly AlertSpec[]>> = {
  millrace_broker_disk_free_bytes: [
    {
      name: 'MillraceDiskFullSoon',
      expression: 'predict_linear($metric[30m], 4 * 3600) < millrace_broker_disk_reserved_bytes',
      for: '10m',
      severity: 'warning',
      summary:
        'At the rate of the last 30 minutes, the disk of {{ $labels.directory }} at {{ $labels.instance }} will refuse produces within 4 hours.',
      action:
        'Find the topic that grows with millrace_broker_topic_log_bytes. Lower its retention.bytes or retention.ms, delete data that is not needed, or enlarge the disk.',
    },
  ],
  millrace_broker_disk_alert_level: [
    {
      name: 'MillraceDiskAlmostFull',
      expression: '$metric == 1',
      for: '5m',
      severity: 'warning',
      summary: 'The disk of {{ $labels.directory }} at {{ $labels.instance }} is almost full.',
      action:
        'Free space before produces are refused: lower the retention of large topics (millrace_broker_topic_log_bytes), or enlarge the disk.',
    },
    {
      name: 'MillraceDiskFull',
      expression: '$metric == 2',
      for: '1m',
      severity: 'critical',
      summary:
        'Produces to {{ $labels.directory }} at {{ $labels.instance }} are refused, because its disk is full or has failed.',
      action:
        "The broker's log says how much space must be free. Free it, or lower the retention of large topics; reads and deletes are still served.",
    },
  ],
  millrace_broker_directory_failed: [
    {
      name: 'MillraceDirectoryFailed',
      expression: '$metric == 1',
      for: '0m',
      severity: 'critical',
      summary: 'The data directory {{ $labels.directory }} at {{ $labels.instance }} has failed.',
      action:
        "The broker's log has the system's error. The partitions of the directory are offline until the next start: check the disk, then restart the broker.",
    },
  ],
  millrace_broker_coordination_damaged: [
    {
      name: 'MillraceCoordinationDamaged',
      expression: '$metric == 1',
      for: '0m',
      severity: 'critical',
      summary:
        'The coordination log that {{ $labels.instance }} follows is damaged: topics, configs and leaders do not change until it is repaired.',
      action:
        "The broker's log says what was found. Keep the copies of all processes, choose the one with the most entries (millrace coordination status), and repair the log from it: millrace coordination repair --help.",
    },
  ],
  millrace_broker_coordination_connected: [
    {
      name: 'MillraceCoordinationUnreachable',
      expression: '$metric == 0 unless on (instance) millrace_broker_coordination_damaged == 1',
      for: '1m',
      severity: 'warning',
      summary:
        '{{ $labels.instance }} has not reached coordination for a minute: topics, configs and leaders do not change; produces and fetches are served.',
      action:
        'Check the NATS servers (coordination.nats.servers) and the network to them; with embedded coordination, the disk of the first data directory. An election of a leader among NATS servers takes 4 to 9 s.',
    },
  ],
  millrace_broker_request_errors_total: [
    {
      name: 'MillraceRequestErrors',
      expression: `sum by (instance) (rate($metric{error!~"${orderlyErrors}"}[5m])) / sum by (instance) (rate(millrace_broker_requests_total[5m])) > 0.01`,
      for: '10m',
      severity: 'warning',
      summary:
        '{{ $labels.instance }} answers {{ $value | humanizePercentage }} of its requests with errors.',
      action:
        'topk(5, sum by (api, error) (rate(millrace_broker_request_errors_total[5m]))) says which requests fail, and how. Errors of normal operation (a rebalance, an expired fetch session) are not counted here.',
    },
  ],
  millrace_broker_request_latency_seconds: [
    {
      name: 'MillraceProduceSlow',
      expression:
        'histogram_quantile(0.99, sum by (le, instance) (rate($metric_bucket{api="Produce"}[5m]))) > 1',
      for: '10m',
      severity: 'warning',
      summary: '1 % of the produce requests to {{ $labels.instance }} take longer than 1 s.',
      action:
        'Check millrace_broker_sync_seconds (a slow disk), nodejs_eventloop_lag_p99_seconds (a busy core) and millrace_broker_requests_pending.',
    },
  ],
  millrace_broker_memory_used_bytes: [
    {
      name: 'MillraceMemoryBudgetUsedUp',
      expression: '$metric / millrace_broker_memory_limit_bytes > 0.9',
      for: '10m',
      severity: 'warning',
      summary:
        'The memory budget {{ $labels.budget }} of {{ $labels.instance }} is {{ $value | humanizePercentage }} in use.',
      action:
        'Connections wait while a budget is exhausted. Find clients that do not read their responses or send very large requests, or give the broker more memory.',
    },
  ],
  millrace_broker_connections_refused_total: [
    {
      name: 'MillraceConnectionsRefused',
      expression: 'increase($metric[5m]) > 0',
      for: '5m',
      severity: 'warning',
      summary: '{{ $labels.instance }} refuses connections because of {{ $labels.limit }}.',
      action:
        'Find the client that opens so many connections (millrace_broker_connections), or raise the limit.',
    },
  ],
  kafka_controller_kafkacontroller_activecontrollercount: [
    {
      name: 'MillraceNoActiveController',
      expression: 'sum by (job) ($metric) < 1',
      for: '5m',
      severity: 'critical',
      summary: 'No broker of {{ $labels.job }} is the active controller.',
      action: 'Topics cannot be created or changed. Check the logs of the brokers.',
    },
  ],
  kafka_controller_kafkacontroller_offlinepartitionscount: [
    {
      name: 'MillraceOfflinePartitions',
      expression: '$metric > 0',
      for: '5m',
      severity: 'critical',
      summary: '{{ $value }} partitions have no leader, as reported by {{ $labels.instance }}.',
      action:
        'They can be neither written nor read. Check whether a broker is down or a data directory has failed.',
    },
  ],
  kafka_controller_kafkacontroller_preferredreplicaimbalancecount: [
    {
      name: 'MillracePreferredReplicaImbalance',
      expression: '$metric > 0',
      for: '30m',
      severity: 'warning',
      summary: '{{ $value }} partitions are not led by their preferred replica.',
      action: 'Elect the preferred leaders, so that the load is balanced as intended.',
    },
  ],
  kafka_server_replicamanager_underreplicatedpartitions: [
    {
      name: 'MillraceUnderReplicatedPartitions',
      expression: '$metric > 0',
      for: '5m',
      severity: 'warning',
      summary: '{{ $value }} partitions led by {{ $labels.instance }} have out-of-sync replicas.',
      action: replicaAction,
    },
  ],
  kafka_server_replicamanager_underminisrpartitioncount: [
    {
      name: 'MillraceUnderMinIsrPartitions',
      expression: '$metric > 0',
      for: '5m',
      severity: 'critical',
      summary:
        '{{ $value }} partitions led by {{ $labels.instance }} have fewer in-sync replicas than min.insync.replicas: produces with acks=all fail.',
      action: replicaAction,
    },
  ],
  kafka_consumergroup_lag_sum: [
    {
      name: 'MillraceConsumerLagIncreases',
      expression: 'delta($metric[5m]) > 0 and min_over_time($metric[15m]) > 0',
      for: '15m',
      severity: 'warning',
      summary:
        'The lag of group {{ $labels.consumergroup }} on {{ $labels.topic }} has been growing for 15 minutes.',
      action: lagAction,
    },
    {
      name: 'MillraceConsumerGroupStalled',
      expression:
        '$metric > 0 and on (instance, consumergroup, topic) changes(kafka_consumergroup_current_offset_sum[10m]) == 0 and on (instance, consumergroup, topic) kafka_consumergroup_current_offset_sum offset 10m and on (instance, consumergroup) kafka_consumergroup_members > 0',
      for: '5m',
      severity: 'critical',
      summary:
        'Group {{ $labels.consumergroup }} has members and a lag on {{ $labels.topic }}, and has committed nothing for 10 minutes (Burrow: STALL).',
      action:
        "The most frequent cause is a record that the consumer fails to process on every retry: check the consumer's log for the committed offset. With isolation.level=read_committed, also check millrace_broker_transaction_oldest_age_seconds: the consumer waits for open transactions.",
    },
    {
      name: 'MillraceConsumerGroupStopped',
      expression:
        '$metric > 0 and on (instance, consumergroup, topic) changes(kafka_consumergroup_current_offset_sum[10m]) == 0 and on (instance, consumergroup) kafka_consumergroup_members == 0',
      for: '15m',
      severity: 'warning',
      summary:
        'Group {{ $labels.consumergroup }} has a lag on {{ $labels.topic }} and no members (Burrow: STOP).',
      action:
        'Restart its consumers. If the group is no longer needed, delete it; otherwise its offsets expire after offsets.retention.minutes.',
    },
  ],
  kafka_consumergroup_current_offset_sum: [
    {
      name: 'MillraceConsumerGroupRewound',
      // By partition where partitions have series: the sum also falls when the offset of one
      // partition expires.
      expression:
        'max by (job, instance, consumergroup, topic) (resets(kafka_consumergroup_current_offset[5m])) > 0 or (resets($metric[5m]) > 0 unless on (instance, consumergroup, topic) kafka_consumergroup_current_offset)',
      for: '0m',
      severity: 'warning',
      summary:
        'Group {{ $labels.consumergroup }} committed a lower offset on {{ $labels.topic }} (Burrow: REWIND).',
      action:
        'If nobody has reset its offsets, the consumer lost its position: check auto.offset.reset and whether the topic was recreated. Records are processed again.',
    },
  ],
  millrace_consumer_group_lag_max_seconds: [
    {
      name: 'MillraceConsumerLagTooHigh',
      // A group without members for six hours does not fire; MillraceConsumerGroupStopped reports
      // it.
      expression:
        '$metric > 300 and on (instance, consumergroup) max_over_time(kafka_consumergroup_members[6h]) > 0',
      for: '15m',
      severity: 'critical',
      summary:
        'Group {{ $labels.consumergroup }} is {{ $value | humanizeDuration }} behind on {{ $labels.topic }}.',
      action: lagAction,
    },
  ],
  millrace_broker_transaction_oldest_age_seconds: [
    {
      name: 'MillraceTransactionHangs',
      expression: '$metric > 900',
      for: '1m',
      severity: 'warning',
      summary:
        'A transaction has been open for {{ $value | humanizeDuration }} at {{ $labels.instance }}.',
      action:
        'Consumers with isolation.level=read_committed wait for it. Find the producer that has it open, or abort the transaction.',
    },
  ],
  kafka_log_logcleanermanager_uncleanable_partitions_count: [
    {
      name: 'MillracePartitionsUncleanable',
      expression: '$metric > 0',
      for: '15m',
      severity: 'warning',
      summary: '{{ $value }} partitions of {{ $labels.instance }} cannot be compacted.',
      action:
        "Their logs grow without bound. The broker's log names them and gives the cause (most often: not enough disk space).",
    },
  ],
}
