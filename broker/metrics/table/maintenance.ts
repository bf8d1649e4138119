// Metrics of log maintenance: retention, the cleaner, recovery, the duration of the start.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const maintenanceMetrics = {
  deletedSegments: {
    name: 'millrace_broker_deleted_segments_total',
    type: 'counter',
    help: 'Segments deleted by retention and by DeleteRecords, by data directory.',
    labels: ['directory'],
  },
  deletedBytes: {
    name: 'millrace_broker_deleted_segment_bytes_total',
    type: 'counter',
    help: 'Bytes of segments deleted by retention and by DeleteRecords, by data directory.',
    labels: ['directory'],
  },
  cleanings: {
    name: 'millrace_broker_cleaner_runs_total',
    type: 'counter',
    help: 'Logs cleaned (compacted), by outcome: cleaned or failed.',
    labels: ['outcome'],
  },
  cleanedBytesRead: {
    name: 'millrace_broker_cleaner_read_bytes_total',
    type: 'counter',
    help: 'Bytes of segments replaced by the cleaner.',
  },
  cleanedBytesWritten: {
    name: 'millrace_broker_cleaner_written_bytes_total',
    type: 'counter',
    help: 'Bytes of segments written by the cleaner as replacements.',
  },
  cleanerBacklog: {
    name: 'millrace_broker_cleaner_backlog_bytes',
    type: 'gauge',
    help: "Bytes of compacted logs that are due for cleaning, as of the cleaner's last check.",
  },
  maxDirtyRatio: {
    name: 'millrace_broker_cleaner_dirty_ratio_max',
    type: 'gauge',
    help: "Largest uncleaned ratio of a compacted log, 0 to 1, as of the cleaner's last check.",
  },
  uncleanable: {
    name: 'kafka_log_logcleanermanager_uncleanable_partitions_count',
    type: 'gauge',
    help: 'Partitions that the cleaner skips because cleaning them failed.',
  },
  cleanShutdown: {
    name: 'millrace_broker_last_shutdown_clean',
    type: 'gauge',
    help: '1 when the last shutdown before this start was clean in all data directories, 0 when logs had to be recovered.',
  },
  recoverySeconds: {
    name: 'millrace_broker_log_recovery_seconds',
    type: 'gauge',
    help: 'Time taken to open and recover all logs at this start.',
  },
  startSeconds: {
    name: 'millrace_broker_start_seconds',
    type: 'gauge',
    help: 'Time from the start of the broker until it accepted clients.',
  },
} as const satisfies Record<string, MetricSpec>
