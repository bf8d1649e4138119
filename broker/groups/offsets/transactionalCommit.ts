// Offsets that a producer commits as part of its transaction (KIP-98, KIP-447). They are pending,
// and visible to nobody, until the transaction's marker is durable.

import type { VerificationGuard } from '../../log/producers/transactionVerification.ts'
import type { MemberIdentity, OffsetToCommit } from '../groupRequests.ts'

/** The producer whose transaction an append is part of. */
export interface CommittingProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /** From the log of the group's partition, taken before the transaction was verified (KIP-890). */
  readonly verification?: VerificationGuard | undefined
}

export interface TransactionalCommit extends CommittingProducer {
  readonly groupId: string
  readonly member: MemberIdentity
  /** -1 when the producer does not say: then it is not checked. */
  readonly generationId: number
  readonly offsets: readonly OffsetToCommit[]
}
