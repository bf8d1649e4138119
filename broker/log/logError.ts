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

export function writeFailed(file: string, cause: unknown): LogError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new LogError(
    'LOG_WRITE_FAILED',
    `${file} could not be written or synced (${reason}). The partition takes no writes until the ` +
      'broker is started again: check the disk and its free space first',
    cause,
  )
}
