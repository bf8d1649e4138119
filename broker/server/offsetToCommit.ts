// Converts an offset of an OffsetCommit or TxnOffsetCommit request into the value that groups
// store.

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

/** Returns the value to store, or an error code for an offset that cannot be stored exactly. */
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
