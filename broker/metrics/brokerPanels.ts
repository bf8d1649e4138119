// The Grafana panels of a broker's metrics, by metric name.

import type { PanelSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'

const rate = 'rate($metric[$__rate_interval])'

function panel(
  row: string,
  title: string,
  unit: string,
  query: string,
  legend = '{{instance}}',
): PanelSpec {
  return { row, title, unit, query, legend }
}

function p99(row: string, title: string, by: string, legend: string): PanelSpec {
  const buckets = 'rate($metric_bucket[$__rate_interval])'
  const query = `histogram_quantile(0.99, sum by (le, instance, ${by}) (${buckets}))`
  return panel(row, `${title}, 99th percentile`, 's', query, legend)
}

const directory = '{{instance}} {{directory}}'
const group = '{{consumergroup}} {{topic}}'

export const brokerPanels: Readonly<Record<string, readonly PanelSpec[]>> = {
  millrace_broker_requests_total: [
    panel(
      'Requests',
      'Requests',
      'reqps',
      `sum by (instance, api) (${rate})`,
      '{{instance}} {{api}}',
    ),
  ],
  millrace_broker_request_errors_total: [
    panel(
      'Requests',
      'Errors',
      'cps',
      `sum by (instance, api, error) (${rate}) > 0`,
      '{{api}} {{error}}',
    ),
  ],
  millrace_broker_request_latency_seconds: [
    p99('Requests', 'Latency', 'api', '{{instance}} {{api}}'),
  ],
  millrace_broker_requests_pending: [panel('Requests', 'Requests pending', 'short', '$metric')],
  millrace_broker_sync_seconds: [p99('Disks', 'Sync', 'directory', directory)],
  millrace_broker_disk_free_bytes: [panel('Disks', 'Free', 'bytes', '$metric', directory)],
  millrace_broker_disk_full_in_seconds: [
    panel('Disks', 'Time until full, at the current rate', 's', '$metric', directory),
  ],
  millrace_broker_directory_log_bytes: [panel('Disks', 'Logs', 'bytes', '$metric', directory)],
  millrace_broker_append_pending_bytes: [
    panel('Disks', 'Appends not yet durable', 'bytes', '$metric', directory),
  ],
  millrace_broker_connections: [
    panel('Connections and memory', 'Connections', 'short', '$metric', '{{instance}} {{listener}}'),
  ],
  millrace_broker_connections_refused_total: [
    panel('Connections and memory', 'Connections refused', 'cps', rate, '{{instance}} {{limit}}'),
  ],
  millrace_broker_memory_used_bytes: [
    panel(
      'Connections and memory',
      'Memory budgets',
      'bytes',
      '$metric',
      '{{instance}} {{budget}}',
    ),
  ],
  millrace_broker_cleaner_backlog_bytes: [
    panel('Log maintenance', 'Compaction backlog', 'bytes', '$metric'),
  ],
  millrace_broker_deleted_segment_bytes_total: [
    panel('Log maintenance', 'Deleted by retention', 'Bps', rate, directory),
  ],
  kafka_server_brokertopicmetrics_bytesin_total: [
    panel('Topics', 'Bytes in', 'Bps', `sum by (topic) (${rate})`, '{{topic}}'),
  ],
  kafka_server_brokertopicmetrics_bytesout_total: [
    panel('Topics', 'Bytes out', 'Bps', `sum by (topic) (${rate})`, '{{topic}}'),
  ],
  kafka_server_brokertopicmetrics_messagesin_total: [
    panel('Topics', 'Records in', 'cps', `sum by (topic) (${rate})`, '{{topic}}'),
  ],
  kafka_server_brokertopicmetrics_failedproducerequests_total: [
    panel('Topics', 'Appends refused', 'cps', `sum by (topic) (${rate})`, '{{topic}}'),
  ],
  millrace_broker_topic_log_bytes: [
    panel('Topics', 'Size', 'bytes', 'sum by (topic) ($metric)', '{{topic}}'),
  ],
  kafka_server_replicamanager_underreplicatedpartitions: [
    panel('Topics', 'Under-replicated partitions', 'short', '$metric'),
  ],
  millrace_consumer_group_lag_max_seconds: [
    panel(
      'Consumer groups',
      'Lag in seconds',
      's',
      'max by (consumergroup, topic) ($metric)',
      group,
    ),
  ],
  kafka_consumergroup_lag_sum: [
    panel(
      'Consumer groups',
      'Lag in records',
      'short',
      'max by (consumergroup, topic) ($metric)',
      group,
    ),
  ],
  kafka_consumergroup_current_offset_sum: [
    panel(
      'Consumer groups',
      'Records consumed',
      'cps',
      'sum by (consumergroup, topic) (deriv($metric[$__rate_interval]))',
      group,
    ),
  ],
  kafka_consumergroup_members: [
    panel(
      'Consumer groups',
      'Members',
      'short',
      'max by (consumergroup) ($metric)',
      '{{consumergroup}}',
    ),
  ],
  millrace_broker_transactions_open: [
    panel('Transactions', 'Open transactions', 'short', '$metric'),
  ],
  millrace_broker_transaction_oldest_age_seconds: [
    panel('Transactions', 'Age of the oldest transaction', 's', '$metric'),
  ],
}
