// What an append is asked for and answered with: the words between the log and its callers.

import type { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { VerificationGuard } from './producers/transactionVerification.ts'
import type { RecordError, Refusal } from './refusal.ts'

/**
 * Who appends. `client`: everything is checked and offsets are given here. `coordinator`: this
 * broker's own records, control batches included. `replication`: batches of a leader, which keep
 * the offsets and epochs that they have.
 */
export type AppendOrigin = 'client' | 'coordinator' | 'replication'

export interface AppendOptions {
  /** The epoch of the leadership under which this is appended; not used for `replication`. */
  readonly leaderEpoch: number
  readonly origin: AppendOrigin
  /**
   * From `PartitionLog.verificationFor`, when it gave one: the coordinator has been asked since. A
   * batch that opens a transaction is refused without it, or when a marker has come in between.
   */
  readonly verification?: VerificationGuard | undefined
  /** What validating a client's records may still decompress: one for all appends of a request. */
  readonly decompression?: MemoryAllowance | undefined
}

export interface AppendResult {
  /** Kafka's error code; 0 when the batches are in the log. */
  readonly errorCode: number
  /** For people; undefined when there is no error. */
  readonly errorMessage: string | undefined
  /** The records at fault, when the error is one of records. */
  readonly recordErrors: readonly RecordError[]
  /** Of the first record; -1 when there is an error. */
  readonly baseOffset: number
  /** Of the last record; -1 when there is an error. */
  readonly lastOffset: number
  /** Milliseconds, of a duplicate those of then; -1 unless the log stamps records itself. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** True when the batches had been appended before: the offsets are those of then. */
  readonly duplicate: boolean
}

/** What became of batches that are in the log: now, or (`duplicate`) since an earlier append of them. */
export interface Appended {
  readonly kind: 'accepted' | 'duplicate'
  readonly baseOffset: number
  readonly lastOffset: number
  readonly logAppendTimeMs: number
}

export function appended(batches: Appended, logStartOffset: number): AppendResult {
  const { kind, baseOffset, lastOffset, logAppendTimeMs } = batches
  return {
    errorCode: ErrorCode.none,
    errorMessage: undefined,
    recordErrors: [],
    baseOffset,
    lastOffset,
    logAppendTimeMs,
    logStartOffset,
    duplicate: kind === 'duplicate',
  }
}

export function notAppended(
  { errorCode, message, recordErrors }: Refusal,
  logStartOffset: number,
): AppendResult {
  return {
    errorCode,
    errorMessage: message,
    recordErrors,
    baseOffset: -1,
    lastOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset,
    duplicate: false,
  }
}
