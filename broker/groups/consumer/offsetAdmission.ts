// Decides who may commit and fetch the offsets of a consumer group: members in their current epoch,
// and others only while the group is empty. Reads the group's state and changes nothing.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Committer, MemberIdentity } from '../groupRequests.ts'
import type { ConsumerGroupMember } from './consumerGroupMember.ts'
import type { ConsumerGroupState } from './consumerGroupState.ts'
import { identifyMember } from './memberIdentity.ts'

/** First version of OffsetCommit whose clients know STALE_MEMBER_EPOCH. */
const memberEpochVersion = 9

export class OffsetAdmission {
  readonly #state: ConsumerGroupState

  constructor(state: ConsumerGroupState) {
    this.#state = state
  }

  /**
   * Returns the member that may commit, undefined for a committer that is not a member, or an error
   * code.
   */
  admitCommit(committer: Committer): ConsumerGroupMember | undefined | number {
    const { generationId, apiVersion } = committer
    // Tools and consumers with manual assignment commit only while the group is empty.
    if (generationId < 0 && this.#isEmpty) return undefined
    const member = identifyMember(this.#state, { ...committer, groupInstanceId: null })
    if (typeof member === 'number') return member
    if (member.classic === null && apiVersion < memberEpochVersion) {
      return ErrorCode.unsupportedVersion
    }
    return checkEpoch(member, generationId) || member
  }

  admitTransactionalCommit(identity: MemberIdentity, generationId: number): number {
    const { memberId, groupInstanceId } = identity
    const isAnonymous = generationId < 0 && memberId === '' && groupInstanceId === null
    if (isAnonymous || (generationId < 0 && this.#isEmpty)) return ErrorCode.none
    const member = identifyMember(this.#state, { memberId, groupInstanceId: null })
    return typeof member === 'number' ? member : checkEpoch(member, generationId)
  }

  admitFetch(memberId: string | null, memberEpoch: number): number {
    if (memberId === null && memberEpoch < 0) return ErrorCode.none
    const member = this.#state.members.get(memberId ?? '')
    return member ? checkEpoch(member, memberEpoch) : ErrorCode.unknownMemberId
  }

  isSubscribedTo(topic: string): boolean {
    for (const member of this.#state.members.values()) {
      for (const name of this.#state.subscribedTopics(member)) if (name === topic) return true
    }
    return false
  }

  get #isEmpty(): boolean {
    return this.#state.members.size === 0
  }
}

function checkEpoch({ memberEpoch, classic }: ConsumerGroupMember, epoch: number): number {
  if (epoch === memberEpoch) return ErrorCode.none
  return classic === null ? ErrorCode.staleMemberEpoch : ErrorCode.illegalGeneration
}
