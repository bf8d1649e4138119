// The table of what can go wrong below the log: failures of the machine or of its files, never of a
// request (those are Kafka error codes in an AppendResult or ReadResult). Every message says what
// the person who runs the broker can do.

export type LogErrorCode =
  /** Bytes that were synced are not there any more, or not as they were written. */
  | 'LOG_CORRUPT'
  /** A write or a sync failed: what the disk holds of it is unknown. */
  | 'LOG_WRITE_FAILED'
  /** Something was asked of a log that is closed or deleted. */
  | 'LOG_CLOSED'
  /** The data directory was written by another broker or by another cluster. */
  | 'LOG_DIRECTORY_FOREIGN'
  /** A data directory cannot be read or written. */
  | 'LOG_DIRECTORY_FAILED'
  /** Two data directories hold the same partition. */
  | 'LOG_PARTITION_TWICE'
  /** There is no room on the disk: nothing is lost, and writes go on when there is. */
  | 'LOG_DISK_FULL'

export class LogError extends Error {
  readonly code: LogErrorCode
  constructor(code: LogErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

export function corruptLog(file: string, position: number, detail: string): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${file} is damaged at byte ${position}, in data that had been synced: ${detail}. ` +
      'The partition takes no writes. Restore the file from a copy, or, to accept the loss of ' +
      'everything from that byte on, cut the file there, remove the segments after it and the ' +
      "partition's line in recovery-point-offset-checkpoint, and start again",
  )
}

export function corruptRead(file: string, position: number, detail: string): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${file} is damaged at byte ${position}: ${detail}. What lies before it can be read; the partition ` +
      'takes no writes. Restore the file from a copy, and start again',
  )
}

export function directoryFailed(directory: string, cause: unknown): LogError {
  return new LogError(
    'LOG_DIRECTORY_FAILED',
    `${directory} cannot be used (${reasonOf(cause)}). Its partitions are offline: check the disk and ` +
      'the permissions, then start the broker again',
    cause,
  )
}

/** Of a partition that is not in any data directory that can be used. */
export function hiddenPartition(topic: string, partition: number): LogError {
  return new LogError(
    'LOG_DIRECTORY_FAILED',
    `${topic}-${partition} may be in a data directory that cannot be used: see the log of the start`,
  )
}

export function diskFull(place: string, cause: unknown): LogError {
  return new LogError(
    'LOG_DISK_FULL',
    `${place} has no room (${reasonOf(cause)}). Nothing is written until there is room again: free ` +
      'some, or lower retention.ms or retention.bytes of large topics',
    cause,
  )
}

/** Whether what is in a file is not what was written there: that concerns one partition only. */
export function isDamage(cause: unknown): cause is LogError {
  return cause instanceof LogError && cause.code === 'LOG_CORRUPT'
}

/** Whether an operation failed for lack of room, which can come back. */
export function isLackOfSpace(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | undefined)?.code
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'LOG_DISK_FULL'
}

export function writeFailed(file: string, cause: unknown): LogError {
  if (cause instanceof LogError) return cause
  return new LogError(
    'LOG_WRITE_FAILED',
    `${file} could not be written or synced (${reasonOf(cause)}). The partition takes no writes until the ` +
      'broker is started again: check the disk and its free space first',
    cause,
  )
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
