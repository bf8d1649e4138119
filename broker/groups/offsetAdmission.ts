// Who may commit, read and delete the offsets of a classic group, and whether they are still needed.
// Nobody may commit who is of another generation: its partitions may be with others now.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { consumerProtocolType } from '../../protocol/kafka/groups.ts'
import type { OffsetsUnused } from './group.ts'
import type { Committer, MemberIdentity } from './groupRequests.ts'
import type { Rebalance } from './rebalance.ts'

export class OffsetAdmission {
  readonly #rebalance: Rebalance

  constructor(rebalance: Rebalance) {
    this.#rebalance = rebalance
  }

  admitCommit(nowMs: number, committer: Committer): number {
    const error = this.#admit(committer, committer.generationId)
    if (error !== ErrorCode.none || this.#isEmpty) return error
    // Offsets set from outside (a tool, a consumer without a group): only while nobody consumes.
    const member = this.#rebalance.roster.get(committer.memberId)
    if (!member) return ErrorCode.unknownMemberId
    if (this.#rebalance.state === 'CompletingRebalance') return ErrorCode.rebalanceInProgress
    this.#rebalance.touch(nowMs, member)
    return ErrorCode.none
  }

  admitTransactionalCommit(member: MemberIdentity, generationId: number): number {
    return this.#admit(member, generationId)
  }

  /** Never one from another generation; who names neither a generation nor a member is nobody. */
  #admit(member: MemberIdentity, generationId: number): number {
    if (this.#rebalance.state === 'Dead') return ErrorCode.coordinatorNotAvailable
    if (generationId < 0 && this.#isEmpty) return ErrorCode.none
    const isAnonymous =
      generationId < 0 && member.memberId === '' && member.groupInstanceId === null
    return isAnonymous ? ErrorCode.none : this.#rebalance.authenticate(member, generationId)
  }

  /** Classic members are not asked who they are. */
  admitFetch(): number {
    return this.#rebalance.state === 'Dead' ? ErrorCode.groupIdNotFound : ErrorCode.none
  }

  admitDelete(): number {
    if (this.#rebalance.state === 'Dead') return ErrorCode.groupIdNotFound
    // Of consumers it is known which topics they are at; of others it is not.
    const isConsumers = this.#rebalance.protocolType === consumerProtocolType
    return this.#isEmpty || isConsumers ? ErrorCode.none : ErrorCode.nonEmptyGroup
  }

  isSubscribedTo(topic: string): boolean {
    return (
      this.#rebalance.subscribedTopics?.has(topic) ??
      this.#rebalance.protocolType === consumerProtocolType
    )
  }

  unused(): OffsetsUnused {
    if (this.#rebalance.protocolType === null) return { since: 'commit' }
    if (this.#isEmpty) {
      const ms = this.#rebalance.stateSinceMs
      return ms === undefined ? { since: 'commit' } : { since: 'time', ms }
    }
    const topicsAreKnown =
      this.#rebalance.state === 'Stable' && this.#rebalance.subscribedTopics !== undefined
    return { since: topicsAreKnown ? 'commit' : 'never' }
  }

  get #isEmpty(): boolean {
    return this.#rebalance.state === 'Empty'
  }
}
