// An offset as OffsetCommit and TxnOffsetCommit name it, as what groups take.

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

export function offsetToCommit(
  topic: string,
  partition: CommittedPartition,
  timestamps: CommitTimestamps,
): OffsetToCommit {
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
