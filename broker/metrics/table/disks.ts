// Metrics of data directories, their disks, and the syncs that make appends durable. The label
// `directory` is a path of log.dirs.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import { latencyBucketsSeconds } from '../../../protocol/telemetry/metrics/metrics.ts'

const ofDirectory = ['directory'] as const
const ofSync = ['directory', 'kind'] as const

export const diskMetrics = {
  diskBytes: {
    name: 'millrace_broker_disk_size_bytes',
    type: 'gauge',
    help: 'Size of the file system of a data directory.',
    labels: ofDirectory,
  },
  freeBytes: {
    name: 'millrace_broker_disk_free_bytes',
    type: 'gauge',
    help: 'Free bytes of the file system of a data directory; measured every 10 s.',
    labels: ofDirectory,
  },
  reservedBytes: {
    name: 'millrace_broker_disk_reserved_bytes',
    type: 'gauge',
    help: 'Free bytes below which produces are refused (log.dir.reserved.bytes).',
    labels: ofDirectory,
  },
  secondsUntilFull: {
    name: 'millrace_broker_disk_full_in_seconds',
    type: 'gauge',
    help: 'Time until free bytes fall below the reserved bytes at the rate of the last half hour; +Inf when they do not fall.',
    labels: ofDirectory,
  },
  level: {
    name: 'millrace_broker_disk_alert_level',
    type: 'gauge',
    help: '0 when a data directory has enough free space; 1 when less than 5 % of its disk (at most 10 GiB) is free above the reserved bytes, or the disk will be full within 4 hours; 2 when produces are refused.',
    labels: ofDirectory,
  },
  failed: {
    name: 'millrace_broker_directory_failed',
    type: 'gauge',
    help: '1 when a data directory has failed and stays unused until the next start, else 0.',
    labels: ofDirectory,
  },
  logBytes: {
    name: 'millrace_broker_directory_log_bytes',
    type: 'gauge',
    help: 'Bytes of all segments in a data directory.',
    labels: ofDirectory,
  },
  partitions: {
    name: 'millrace_broker_directory_partitions',
    type: 'gauge',
    help: 'Partitions in a data directory.',
    labels: ofDirectory,
  },
  syncSeconds: {
    name: 'millrace_broker_sync_seconds',
    type: 'histogram',
    help: 'Duration of a sync that makes appends durable: a synced write to the commit journal (journal), or a sync of a segment (segment).',
    labels: ofSync,
    buckets: latencyBucketsSeconds,
  },
  syncBytes: {
    name: 'millrace_broker_sync_bytes',
    type: 'histogram',
    help: 'Bytes of appends made durable by one sync.',
    labels: ofSync,
    buckets: [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216],
  },
  syncAppends: {
    name: 'millrace_broker_sync_appends',
    type: 'histogram',
    help: 'Appends made durable by one sync.',
    labels: ofSync,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  },
  pendingBytes: {
    name: 'millrace_broker_append_pending_bytes',
    type: 'gauge',
    help: 'Bytes of appends accepted and not yet durable.',
    labels: ofDirectory,
  },
  heldBytes: {
    name: 'millrace_broker_append_held_bytes',
    type: 'gauge',
    help: 'Bytes of appends held until their log accepts appends again: too many bytes are pending, or the log is being truncated.',
    labels: ofDirectory,
  },
  pendingCommits: {
    name: 'millrace_broker_journal_commits_pending',
    type: 'gauge',
    help: 'Groups of appends, one for each partition, that wait for a write to the commit journal.',
    labels: ofDirectory,
  },
  stagedBytes: {
    name: 'millrace_broker_staged_bytes',
    type: 'gauge',
    help: 'Bytes of memory for appends that are durable in a commit journal and not yet written to their segments.',
  },
} as const satisfies Record<string, MetricSpec>
