// The table of the codes with which a broker reports that it is not healthy or not ready. Codes
// never change; docs/logs-and-health.md lists them.

import type { ReasonSpec } from '../protocol/operations/health.ts'

export const brokerReasons = {
  STARTING: {
    kind: 'not ready',
    meaning:
      'The broker is opening its logs or recovering them after a crash; it does not serve clients yet.',
  },
  STOPPING: {
    kind: 'not ready',
    meaning:
      'The broker is shutting down: it finishes the requests in progress and accepts no new connections.',
  },
  METADATA_FAILED: {
    kind: 'unhealthy',
    meaning: 'The metadata log can no longer be written or read; the broker shuts down.',
  },
  COORDINATION_UNREACHABLE: {
    kind: 'warning',
    meaning:
      'The coordination log cannot be reached or written: topics, configs and leaders do not change. Clients are served.',
  },
  COORDINATION_DAMAGED: {
    kind: 'warning',
    meaning:
      'The coordination log lost entries, forked, or was created anew: topics, configs and leaders do not change until it is repaired. Clients are served.',
  },
  DATA_DIRECTORY_FAILED: {
    kind: 'unhealthy',
    meaning:
      'A data directory has failed: its disk returned an error, or the directory was removed. Its partitions are offline until the broker is restarted; partitions in other data directories are served.',
  },
  PARTITIONS_OFFLINE: {
    kind: 'unhealthy',
    meaning:
      'Partitions are corrupt, missing, or in a failed data directory. The message says how to restore them.',
  },
  PARTITIONS_WAITING: {
    kind: 'not ready',
    meaning:
      'Partitions cannot be written: the disk is full, too many files are open, or another file is in the way. Writes resume without a restart once the cause is removed.',
  },
  DISK_FULL: {
    kind: 'not ready',
    meaning:
      'Less than log.dir.reserved.bytes is free: produces are refused, reads are served. Produces resume once enough space is free.',
  },
  DISK_NEARLY_FULL: {
    kind: 'warning',
    meaning: 'Less than ten times log.dir.reserved.bytes is free.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

export type BrokerReasonCode = keyof typeof brokerReasons
