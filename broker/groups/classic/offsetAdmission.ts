// Decides who may commit, fetch and delete the offsets of a classic group, and whether its offsets
// are still needed. Reads the group and changes nothing. A commit from another generation is
// refused, because its partitions may have another owner now.

import { consumerProtocolType } from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { OffsetsUnused } from '../group.ts'
import type { Committer, MemberIdentity } from '../groupRequests.ts'
import type { MemberRoster } from './memberRoster.ts'
import type { RebalanceView } from './rebalance.ts'

export class OffsetAdmission {
  readonly #rebalance: RebalanceView
  readonly #roster: Pick<MemberRoster, 'get'>

  constructor(rebalance: RebalanceView, roster: Pick<MemberRoster, 'get'>) {
    this.#rebalance = rebalance
    this.#roster = roster
  }

  admitCommit(committer: Committer): number {
    const error = this.#admit(committer, committer.generationId)
    if (error !== ErrorCode.none || this.#isEmpty) return error
    // Committers that are not members (tools, consumers with manual assignment) may commit only
    // while the group is empty.
    if (!this.#roster.get(committer.memberId)) return ErrorCode.unknownMemberId
    const isAssigning = this.#rebalance.state === 'CompletingRebalance'
    return isAssigning ? ErrorCode.rebalanceInProgress : ErrorCode.none
  }

  admitTransactionalCommit(member: MemberIdentity, generationId: number): number {
    return this.#admit(member, generationId)
  }

  /**
   * Returns an error code. A committer that names neither a generation nor a member is anonymous
   * and is not authenticated.
   */
  #admit(member: MemberIdentity, generationId: number): number {
    if (this.#rebalance.state === 'Dead') return ErrorCode.coordinatorNotAvailable
    if (generationId < 0 && this.#isEmpty) return ErrorCode.none
    const isAnonymous =
      generationId < 0 && member.memberId === '' && member.groupInstanceId === null
    return isAnonymous ? ErrorCode.none : this.#rebalance.authenticate(member, generationId)
  }

  /** Returns an error code. The classic protocol does not authenticate the fetching of offsets. */
  admitFetch(): number {
    return this.#rebalance.state === 'Dead' ? ErrorCode.groupIdNotFound : ErrorCode.none
  }

  admitDelete(): number {
    if (this.#rebalance.state === 'Dead') return ErrorCode.groupIdNotFound
    // Subscriptions can be read in groups of consumers only; in other groups every topic may be in
    // use.
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
