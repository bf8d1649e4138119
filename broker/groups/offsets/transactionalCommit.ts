// Offsets that a producer commits within its transaction (KIP-98, KIP-447). They are pending, and
// must never be visible, until the commit marker of the transaction is durable.

import type { VerificationGuard } from '../../log/producers/transactionVerification.ts'
import type { MemberIdentity, OffsetToCommit } from '../groupRequests.ts'

/** The producer in whose transaction an append is made. */
export interface CommittingProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /**
   * Guard from the log of the group's partition, taken before the transaction was verified
   * (KIP-890).
   */
  readonly verification?: VerificationGuard | undefined
}

export interface TransactionalCommit extends CommittingProducer {
  readonly groupId: string
  readonly member: MemberIdentity
  /** Generation of the member; -1 when the producer does not name one, and none is checked. */
  readonly generationId: number
  readonly offsets: readonly OffsetToCommit[]
}
