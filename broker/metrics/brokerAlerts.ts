// Alert rules of a broker, by the name of the metric. The rules follow kafka-mixin and
// Redpanda's; those of consumer groups follow Burrow's verdicts as far as metrics can tell them.

import type { AlertSpec } from '../../protocol/telemetry/metricSpec.ts'

const lagAction =
  'Look at the members of the group and at the time that they take for a record. More partitions and more members share the work; records that retention removes before they are read are lost.'
/** What clients are answered in good order: at a join, in a rebalance, when a fetch session has ended. */
const orderlyErrors = [
  ...['MEMBER_ID_REQUIRED', 'REBALANCE_IN_PROGRESS'],
  ...['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'],
].join('|')
const replicaAction =
  'Look which broker is away or slow: kafka_topic_partition_under_replicated_partition names the partitions. Do not restart another broker until the replicas are in sync again.'

export const brokerAlerts: Readonly<Record<string, readonly AlertSpec[]>> = {
  millrace_broker_disk_free_bytes: [
    {
      name: 'MillraceDiskFullSoon',
      expression: 'predict_linear($metric[30m], 4 * 3600) < millrace_broker_disk_reserved_bytes',
      for: '10m',
      severity: 'warning',
      summary:
        'The disk of {{ $labels.directory }} at {{ $labels.instance }} takes no more records within 4 hours at the rate of the last 30 minutes.',
      action:
        'Look at millrace_broker_topic_log_bytes for the topic that grows. Lower its retention.bytes or retention.ms, remove what is not needed, or enlarge the disk.',
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
        "The broker's log says how much has to be free. Free it, or lower the retention of large topics; reads and deletes go on meanwhile.",
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
        "The broker's log has the error of the system. Its partitions are unavailable until the next start: check the disk, then restart the broker.",
    },
  ],
  millrace_broker_request_errors_total: [
    {
      name: 'MillraceRequestErrors',
      expression: `sum by (instance) (rate($metric{error!~"${orderlyErrors}"}[5m])) / sum by (instance) (rate(millrace_broker_requests_total[5m])) > 0.01`,
      for: '10m',
      severity: 'warning',
      summary:
        '{{ $labels.instance }} answers with errors: {{ $value | humanizePercentage }} of the number of requests.',
      action:
        'topk(5, sum by (api, error) (rate(millrace_broker_request_errors_total[5m]))) says which requests fail, and how. Errors by which clients find their way (a rebalance, a fetch session that ended) are not counted here.',
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
        'Look at millrace_broker_sync_seconds (a slow disk), nodejs_eventloop_lag_p99_seconds (a busy core) and millrace_broker_requests_pending.',
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
        'Connections wait while a budget is used up. Look for clients that do not read their responses, and for very large requests; or give the broker more memory.',
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
        'Look which client opens so many connections (millrace_broker_connections), or raise the limit.',
    },
  ],
  kafka_controller_kafkacontroller_activecontrollercount: [
    {
      name: 'MillraceNoActiveController',
      expression: 'sum by (job) ($metric) < 1',
      for: '5m',
      severity: 'critical',
      summary: 'No broker of {{ $labels.job }} is the active controller.',
      action: "Topics can't be created or changed. Look at the log of the brokers.",
    },
  ],
  kafka_controller_kafkacontroller_offlinepartitionscount: [
    {
      name: 'MillraceOfflinePartitions',
      expression: '$metric > 0',
      for: '5m',
      severity: 'critical',
      summary: '{{ $value }} partitions have no leader, by {{ $labels.instance }}.',
      action:
        'They can be neither written nor read. Look whether a broker is away, or a data directory has failed.',
    },
  ],
  kafka_controller_kafkacontroller_preferredreplicaimbalancecount: [
    {
      name: 'MillracePreferredReplicaImbalance',
      expression: '$metric > 0',
      for: '30m',
      severity: 'warning',
      summary: '{{ $value }} partitions are not led by their preferred replica.',
      action: 'Elect the preferred leaders, so that the load is spread as intended.',
    },
  ],
  kafka_server_replicamanager_underreplicatedpartitions: [
    {
      name: 'MillraceUnderReplicatedPartitions',
      expression: '$metric > 0',
      for: '5m',
      severity: 'warning',
      summary: '{{ $value }} partitions led by {{ $labels.instance }} have replicas out of sync.',
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
        '{{ $value }} partitions led by {{ $labels.instance }} have fewer replicas in sync than min.insync.replicas: produces with acks=all fail.',
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
        'Group {{ $labels.consumergroup }} has members and records to read on {{ $labels.topic }}, and has not moved for 10 minutes (Burrow: STALL).',
      action:
        'A record that the consumer fails at again and again is the most frequent cause: look at the log of the consumer, at the offset where it stands. With isolation.level=read_committed also look at millrace_broker_transaction_oldest_age_seconds: it waits for open transactions.',
    },
    {
      name: 'MillraceConsumerGroupStopped',
      expression:
        '$metric > 0 and on (instance, consumergroup, topic) changes(kafka_consumergroup_current_offset_sum[10m]) == 0 and on (instance, consumergroup) kafka_consumergroup_members == 0',
      for: '15m',
      severity: 'warning',
      summary:
        'Group {{ $labels.consumergroup }} has records to read on {{ $labels.topic }} and no member (Burrow: STOP).',
      action:
        'Start its consumers again. If the group is not needed any more, delete it; its offsets expire by themselves after offsets.retention.minutes.',
    },
  ],
  kafka_consumergroup_current_offset_sum: [
    {
      name: 'MillraceConsumerGroupRewound',
      // By partition where there are series of partitions: the sum also falls when the offset of one expires.
      expression:
        'max by (job, instance, consumergroup, topic) (resets(kafka_consumergroup_current_offset[5m])) > 0 or (resets($metric[5m]) > 0 unless on (instance, consumergroup, topic) kafka_consumergroup_current_offset)',
      for: '0m',
      severity: 'warning',
      summary:
        'Group {{ $labels.consumergroup }} has gone back on {{ $labels.topic }} (Burrow: REWIND).',
      action:
        'If nobody has reset its offsets, the consumer lost its position: look at auto.offset.reset, and whether the topic was recreated. Records are processed again.',
    },
  ],
  millrace_consumer_group_lag_max_seconds: [
    {
      name: 'MillraceConsumerLagTooHigh',
      // A group that nobody has used for hours is forgotten, and pages no one (MillraceConsumerGroupStopped names it).
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
        'Consumers with isolation.level=read_committed wait for it. Find the producer that holds it, or abort the transaction.',
    },
  ],
  kafka_log_logcleanermanager_uncleanable_partitions_count: [
    {
      name: 'MillracePartitionsUncleanable',
      expression: '$metric > 0',
      for: '15m',
      severity: 'warning',
      summary: '{{ $value }} partitions of {{ $labels.instance }} can not be compacted.',
      action:
        "Their logs grow without end. The broker's log names them and says why (not enough space, most often).",
    },
  ],
}
