// The codes with which a broker says what is not well. docs/logs-and-health.md lists them.

import type { ReasonSpec } from '../protocol/operations/health.ts'

export const brokerReasons = {
  STARTING: {
    kind: 'not ready',
    meaning: 'The broker opens its logs, or recovers them after a crash; clients are served later.',
  },
  STOPPING: {
    kind: 'not ready',
    meaning: 'The broker was told to stop: it answers what is under way and takes nothing new.',
  },
  METADATA_FAILED: {
    kind: 'unhealthy',
    meaning: 'The metadata log cannot be written or read any more; the broker stops.',
  },
  DATA_DIRECTORY_FAILED: {
    kind: 'unhealthy',
    meaning:
      'A data directory cannot be used: its disk has failed, or it was removed. Its partitions are offline until the broker is started again; partitions in other directories are served.',
  },
  PARTITIONS_OFFLINE: {
    kind: 'unhealthy',
    meaning:
      'Partitions are damaged, missing, or in a failed data directory. The message says how to restore them.',
  },
  PARTITIONS_WAITING: {
    kind: 'not ready',
    meaning:
      'Partitions cannot be written until there is room, a file can be opened, or an obstacle is removed; then they are written again without a restart.',
  },
  DISK_FULL: {
    kind: 'not ready',
    meaning:
      'Less than log.dir.reserved.bytes is free: records are refused, reads are served. Ends by itself when there is room.',
  },
  DISK_NEARLY_FULL: {
    kind: 'warning',
    meaning: 'Less than ten times log.dir.reserved.bytes is free.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

export type BrokerReasonCode = keyof typeof brokerReasons
