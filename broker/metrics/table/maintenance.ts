// Metrics of what keeps logs small and restarts short: retention, the cleaner, recovery.

import type { MetricSpec } from '../../../protocol/telemetry/metricSpec.ts'

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
    help: 'Bytes of segments that the cleaner has replaced.',
  },
  cleanedBytesWritten: {
    name: 'millrace_broker_cleaner_written_bytes_total',
    type: 'counter',
    help: 'Bytes of segments that the cleaner has written in their place.',
  },
  cleanerBacklog: {
    name: 'millrace_broker_cleaner_backlog_bytes',
    type: 'gauge',
    help: 'Bytes of compacted logs that are due to be cleaned and were not yet, as of the last look of the cleaner.',
  },
  maxDirtyRatio: {
    name: 'millrace_broker_cleaner_dirty_ratio_max',
    type: 'gauge',
    help: 'Largest part of a compacted log that was not cleaned yet, from 0 to 1, as of the last look of the cleaner.',
  },
  uncleanable: {
    name: 'kafka_log_logcleanermanager_uncleanable_partitions_count',
    type: 'gauge',
    help: 'Partitions that the cleaner leaves alone since it failed on them.',
  },
  cleanShutdown: {
    name: 'millrace_broker_last_shutdown_clean',
    type: 'gauge',
    help: '1 when the last shutdown before this start was clean in all data directories, 0 when logs had to be recovered.',
  },
  recoverySeconds: {
    name: 'millrace_broker_log_recovery_seconds',
    type: 'gauge',
    help: 'Time that opening and recovering all logs took at this start.',
  },
  startSeconds: {
    name: 'millrace_broker_start_seconds',
    type: 'gauge',
    help: 'Time from the start of the broker until it served clients.',
  },
} as const satisfies Record<string, MetricSpec>
