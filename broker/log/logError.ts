// The error table of the log: failures of the machine or its files, never of a request (those are
// Kafka error codes in an AppendResult or ReadResult). Every message says what the operator can do.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type LogErrorCode =
  /** Synced bytes are missing or damaged. */
  | 'LOG_CORRUPT'
  /** A write or a sync failed; the content of the disk is unknown. */
  | 'LOG_WRITE_FAILED'
  /** A read failed; the content of the disk may be intact. */
  | 'LOG_READ_FAILED'
  /** The log is closed or deleted. */
  | 'LOG_CLOSED'
  /** The data directory was written by another broker or by another cluster. */
  | 'LOG_DIRECTORY_FOREIGN'
  /** A data directory cannot be read or written. */
  | 'LOG_DIRECTORY_FAILED'
  /** The directory of a partition cannot be created. */
  | 'LOG_CREATE_FAILED'
  /** Two data directories have the same partition. */
  | 'LOG_PARTITION_TWICE'
  /** The disk is full. No data is lost; writes resume when space is free. */
  | 'LOG_DISK_FULL'
  /** Too many files are open. No data is lost; writes resume when a file can be opened. */
  | 'LOG_OUT_OF_FILES'
  /**
   * A file or directory cannot be opened or renamed. No data is lost; writes resume when it can.
   */
  | 'LOG_OBSTRUCTED'

export class LogError extends CodedError<LogErrorCode> {}

export function corruptLog(file: string, position: number, detail: string): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${file} is damaged at byte ${position}, in data that had been synced: ${detail}. ` +
      'The partition takes no writes. Restore the file from a backup; or, to accept the loss of ' +
      'everything from that byte on, truncate the file there, remove the segments after it and the ' +
      "partition's line in recovery-point-offset-checkpoint; then restart the broker",
  )
}

/** `directory`: that of the partition; a segment starts at `until`. */
export function missingRecords(directory: string, from: number, until: number): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${directory} has lost the records from offset ${from} to ${until - 1}, which had been synced: their ` +
      'segment is missing. Earlier records can be read; the partition takes no writes. Restore ' +
      `the files of the segment from a backup; or, to accept the loss of everything below ${until}, set ` +
      `the partition's offset in log-start-offset-checkpoint to ${until}; then restart the broker`,
  )
}

/** `directory`: that of a partition which existed when its data directory was last in use. */
export function missingDirectory(directory: string, recoveryPoint: number): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${directory} is missing; it held records up to offset ${recoveryPoint} at least. The partition is ` +
      'offline. Restore the directory from a backup; or, to begin with an empty partition, remove its lines ' +
      'in recovery-point-offset-checkpoint and log-start-offset-checkpoint; then restart the broker',
  )
}

export function corruptRead(file: string, position: number, detail: string): LogError {
  return new LogError(
    'LOG_CORRUPT',
    `${file} is damaged at byte ${position}: ${detail}. Earlier records can be read; the partition ` +
      'takes no writes. Restore the file from a backup, then restart the broker',
  )
}

export function directoryFailed(directory: string, cause: unknown): LogError {
  return new LogError(
    'LOG_DIRECTORY_FAILED',
    `${directory} cannot be used (${reasonOf(cause)}). Its partitions are offline: check the disk and ` +
      'its permissions, then restart the broker',
    cause,
  )
}

/** For a partition that is missing, or that may be in a failed data directory. */
export function hiddenPartition(topic: string, partition: number): LogError {
  return new LogError(
    'LOG_DIRECTORY_FAILED',
    `the directory of ${topic}-${partition} cannot be read: see the log of the broker for the reason`,
  )
}

export function diskFull(place: string, cause: unknown): LogError {
  return new LogError(
    'LOG_DISK_FULL',
    `${place} cannot be written: the disk is full (${reasonOf(cause)}). Writes are refused until space is free: free ` +
      'disk space, or lower retention.ms or retention.bytes of large topics',
    cause,
  )
}

/** For a write that failed with a passing error (`isPassing`). */
export function passingFailure(place: string, cause: unknown): LogError {
  if (isOutOfSpace(cause)) return diskFull(place, cause)
  if (hasCode(cause, obstacleCodes)) {
    return new LogError(
      'LOG_OBSTRUCTED',
      `${place} cannot be written (${reasonOf(cause)}). Writes are refused until it can be written: check the ` +
        'permissions, and move away other files at its path',
      cause,
    )
  }
  return new LogError(
    'LOG_OUT_OF_FILES',
    `${place} cannot be opened (${reasonOf(cause)}). Writes are refused until it can be opened: raise the ` +
      'limit of open files (ulimit -n, LimitNOFILE)',
    cause,
  )
}

export function writeFailed(file: string, cause: unknown): LogError {
  if (cause instanceof LogError) return cause
  return new LogError(
    'LOG_WRITE_FAILED',
    `failed to write or sync ${file} (${reasonOf(cause)}). The partition takes no writes until the ` +
      'broker is restarted: check the disk and its free space first',
    cause,
  )
}

/** Errors that are not system errors are returned unchanged. */
export function creationFailed(directory: string, cause: unknown): unknown {
  if (!isSystemError(cause)) return cause
  if (isShortage(cause)) return passingFailure(directory, cause)
  return new LogError(
    'LOG_CREATE_FAILED',
    `failed to create ${directory} (${reasonOf(cause)}): move away other files at this path, and check the ` +
      'permissions of the data directory',
    cause,
  )
}

/** Undefined for errors that are not system errors. */
export function readFailed(directory: string, cause: unknown): LogError | undefined {
  if (!isSystemError(cause)) return undefined
  return new LogError(
    'LOG_READ_FAILED',
    `failed to read ${directory} (${reasonOf(cause)}): check the disk and the limit of open files`,
    cause,
  )
}

const outOfSpaceCodes = new Set(['ENOSPC', 'EDQUOT', 'LOG_DISK_FULL'])
const outOfFilesCodes = new Set(['EMFILE', 'ENFILE', 'LOG_OUT_OF_FILES'])
/**
 * A file cannot be opened, renamed or removed: nothing was written, and the operation can be
 * retried. None of them is returned by a sync.
 */
const obstacleCodes = new Set([
  'EISDIR',
  'EEXIST',
  'ENOTEMPTY',
  'EACCES',
  'EPERM',
  'EBUSY',
  'ETXTBSY',
  'ELOOP',
  'ENOMEM',
  'LOG_OBSTRUCTED',
])
/** The disk has failed, or the connection to it, whichever file reports it. */
const diskFailureCodes = new Set([
  'EIO',
  'EROFS',
  'ENODEV',
  'ENXIO',
  'ESTALE',
  'EUCLEAN',
  'ENOTCONN',
  'EREMOTEIO',
])
/** A file does not exist at its path; the whole directory may be missing. */
const missingCodes = new Set(['ENOENT', 'ENOTDIR'])

/** Whether the content of a file is damaged, which concerns one partition only. */
export function isDamage(cause: unknown): cause is LogError {
  return cause instanceof LogError && cause.code === 'LOG_CORRUPT'
}

/**
 * Whether an operation failed for lack of a resource that can become available: space, or open
 * files.
 */
export function isShortage(cause: unknown): boolean {
  return isOutOfSpace(cause) || hasCode(cause, outOfFilesCodes)
}

/** Whether the disk is full. */
export function isOutOfSpace(cause: unknown): boolean {
  return hasCode(cause, outOfSpaceCodes)
}

/** Whether an operation failed for a passing reason, and can be repeated. */
export function isPassing(cause: unknown): boolean {
  return isShortage(cause) || hasCode(cause, obstacleCodes)
}

/** Whether a whole disk has failed, also as the cause of a LogError. */
export function isDiskFailure(cause: unknown): boolean {
  return hasCode(originOf(cause), diskFailureCodes)
}

export function isMissingFile(cause: unknown): boolean {
  return hasCode(originOf(cause), missingCodes)
}

/** The cause of a LogError; other errors themselves. */
export function originOf(cause: unknown): unknown {
  return cause instanceof LogError ? cause.cause : cause
}

function hasCode(cause: unknown, codes: ReadonlySet<string>): boolean {
  const code = codeOf(cause)
  return code !== undefined && codes.has(code)
}

function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

function isSystemError(cause: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(codeOf(cause) ?? '')
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
