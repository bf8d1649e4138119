// An offset as OffsetCommit and TxnOffsetCommit name it, as what groups take.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { OffsetToCommit } from '../groups/groupRequests.ts'

interface CommittedPartition {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

export type CommitTimestamps = Pick<
  OffsetToCommit['value'],
  'commitTimestampMs' | 'expireTimestampMs'
>

/** An error code for an offset that is too large to be kept exactly: another one would be read. */
export function offsetToCommit(
  topic: string,
  partition: CommittedPartition,
  timestamps: CommitTimestamps,
): OffsetToCommit | number {
  if (Math.abs(partition.committedOffset) === Number.MAX_SAFE_INTEGER) {
    return ErrorCode.invalidCommitOffsetSize
  }
  return {
    topic,
    partition: partition.partitionIndex,
    value: {
      offset: partition.committedOffset,
      leaderEpoch: partition.committedLeaderEpoch,
      metadata: partition.committedMetadata ?? '',
      ...timestamps,
    },
  }
}
