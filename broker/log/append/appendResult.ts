// Options and results of appends: the types between a log and its callers. No behaviour.

import type { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { VerificationGuard } from '../producers/transactionVerification.ts'
import type { RecordError, Refusal } from './refusal.ts'

/**
 * Who appends. `client`: everything is checked, offsets are assigned. `coordinator`: records of
 * this broker, control batches included; offsets are assigned. `replication`: batches from the
 * leader, which keep their offsets and epochs.
 */
export type AppendOrigin = 'client' | 'coordinator' | 'replication'

export interface AppendOptions {
  readonly origin: AppendOrigin
  /** The epoch of the leader that appends; not used for `replication`. */
  readonly leaderEpoch: number
  /**
   * From `PartitionLog.verificationFor`, if it returned one and the coordinator has confirmed the
   * transaction. A batch that opens a transaction is refused without it, or if a marker was
   * appended in between.
   */
  readonly verification?: VerificationGuard | undefined
  /** Limit on the bytes that validation may decompress; shared by all appends of a request. */
  readonly decompression?: MemoryAllowance | undefined
}

/** An append of the leader. */
export interface LeaderAppend extends AppendOptions {
  readonly origin: 'client' | 'coordinator'
}

export const followerAppend: AppendOptions = { origin: 'replication', leaderEpoch: -1 }

export interface AppendResult {
  /** Kafka's error code; 0 when the batches are in the log. */
  readonly errorCode: number
  /** For people; undefined without an error. */
  readonly errorMessage: string | undefined
  /** The invalid records, if the error concerns single records. */
  readonly recordErrors: readonly RecordError[]
  /** Offset of the first record; -1 with an error. */
  readonly baseOffset: number
  /** Offset of the last record; -1 with an error. */
  readonly lastOffset: number
  /** Time of the (first) append in ms; -1 unless message.timestamp.type is LogAppendTime. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** The batches were appended before; the offsets are those of the first append. */
  readonly duplicate: boolean
}

/** Batches that are in the log: new ones, or those of an earlier append (`duplicate`). */
export interface AppendedBatches {
  readonly kind: 'accepted' | 'duplicate'
  readonly baseOffset: number
  readonly lastOffset: number
  readonly logAppendTimeMs: number
}

export function appended(batches: AppendedBatches, logStartOffset: number): AppendResult {
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
