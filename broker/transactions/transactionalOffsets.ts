// Offsets that a transaction commits: what the transaction coordinator and its handlers ask of the
// groups (KIP-98, KIP-447). Pending offsets are seen by nobody before their marker is durable.

import type { MemberIdentity, OffsetToCommit } from '../groups/groupRequests.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'

export interface TransactionalCommit {
  readonly groupId: string
  readonly member: MemberIdentity
  /** -1 when the producer does not say: then it is not checked. */
  readonly generationId: number
  readonly producerId: number
  readonly producerEpoch: number
  /** From the log of the group's partition, taken before the transaction was verified (KIP-890). */
  readonly verification?: VerificationGuard | undefined
  readonly offsets: readonly OffsetToCommit[]
}

export interface TransactionalOffsets {
  /** The partition of `__consumer_offsets` that the group's offsets go to; makes the topic. */
  partitionOf(groupId: string): Promise<number>
  /** An error code for each offset, once they are durable as part of the transaction. */
  commitInTransaction(commit: TransactionalCommit): Promise<readonly number[]>
  /** The producer's marker is durable in this partition of `__consumer_offsets`. */
  completeTransaction(partition: number, producerId: number, committed: boolean): void
}
