// Identifies the sender of a request to a consumer group: a member, a new member, a static member
// that returned, or a fenced client, which is refused. Changes nothing.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { MemberIdentity } from '../groupRequests.ts'
import { type ConsumerGroupMember, joinEpoch, leaveStaticEpoch } from './consumerGroupMember.ts'
import type { ConsumerGroupState } from './consumerGroupState.ts'
import { type HeartbeatRequest, isLeaving, type Refusal } from './heartbeatRequest.ts'
import { isSubset } from './topicPartitions.ts'

export interface Identified {
  /** Undefined for a new member. */
  readonly member: ConsumerGroupMember | undefined
  /**
   * Whether the member is to be replaced by the sender: a static instance that returned under a new
   * id.
   */
  readonly isReplaced: boolean
}

export function identify(
  state: ConsumerGroupState,
  request: HeartbeatRequest,
): Identified | Refusal {
  const { memberId, instanceId } = request
  if (request.memberEpoch === joinEpoch && instanceId !== null) {
    return identifyInstance(state, request, instanceId)
  }
  const member = instanceId === null ? state.members.get(memberId) : state.byInstance(instanceId)
  if (!member) return request.memberEpoch === joinEpoch ? newcomer : unknown(request)
  if (member.memberId !== memberId) return fencedInstance(request, member)
  if (joinsAgain(request, member)) return { member, isReplaced: false }
  const refusal = isLeaving(request) ? undefined : checkEpoch(request, member)
  return refusal ?? { member, isReplaced: false }
}

const newcomer: Identified = { member: undefined, isReplaced: false }

/**
 * Identifies a static member that joins. Its instance id may be in use by another member, or by its
 * own former member id.
 */
function identifyInstance(
  state: ConsumerGroupState,
  request: HeartbeatRequest,
  instanceId: string,
): Identified | Refusal {
  const member = state.byInstance(instanceId)
  if (!member) return newcomer
  if (member.classic === null && member.memberEpoch !== leaveStaticEpoch) {
    if (joinsAgain(request, member)) return { member, isReplaced: false }
    return {
      errorCode: ErrorCode.unreleasedInstanceId,
      message: `Static member ${request.memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${member.memberId} member.`,
    }
  }
  return { member, isReplaced: true }
}

/**
 * Whether a known member joins again, because the answer to its join or its request to leave was
 * lost (a restarted process would have a new id). The member keeps its assignment. Kafka answers
 * UNRELEASED_INSTANCE_ID to a static member and FENCED_MEMBER_EPOCH to others, which locks a member
 * out until its own session has expired.
 *
 * A joining member reports no partitions, and this is taken as true. If the join was delayed in the
 * network until the member owned partitions again, and some of them are to be revoked, the member
 * is in a new epoch before others get them: its next heartbeat is fenced, and it cannot commit
 * before.
 */
function joinsAgain({ memberId, memberEpoch }: HeartbeatRequest, member: ConsumerGroupMember) {
  return memberEpoch === joinEpoch && member.memberId === memberId && member.classic === null
}

function checkEpoch(
  { memberEpoch, owned }: HeartbeatRequest,
  member: ConsumerGroupMember,
): Refusal | undefined {
  if (memberEpoch === member.memberEpoch) return undefined
  const isSmaller = memberEpoch < member.memberEpoch
  // The answer with the new epoch may have been lost. A member that owns only partitions of its
  // assignment gets the answer again.
  const hasMissedAnswer =
    isSmaller &&
    memberEpoch === member.previousMemberEpoch &&
    owned !== null &&
    isSubset(owned, member.assigned)
  if (hasMissedAnswer) return undefined
  return {
    errorCode: ErrorCode.fencedMemberEpoch,
    message: `The consumer group member has a ${isSmaller ? 'smaller' : 'greater'} member epoch (${memberEpoch}) than the one known by the group coordinator (${member.memberEpoch}). The member must abandon all its partitions and rejoin.`,
  }
}

function unknown({ memberId, instanceId }: HeartbeatRequest): Refusal {
  const who = instanceId === null ? `Member ${memberId}` : `Instance id ${instanceId}`
  return { errorCode: ErrorCode.unknownMemberId, message: `${who} is unknown.` }
}

function fencedInstance(
  { memberId, instanceId }: HeartbeatRequest,
  by: ConsumerGroupMember,
): Refusal {
  return {
    errorCode: ErrorCode.fencedInstanceId,
    message: `Static member ${memberId} with instance id ${instanceId} was fenced by member ${by.memberId}.`,
  }
}

/** Returns the member of a classic request or of a commit, or an error code. */
export function identifyMember(
  state: ConsumerGroupState,
  { memberId, groupInstanceId }: MemberIdentity,
): ConsumerGroupMember | number {
  if (groupInstanceId === null) return state.members.get(memberId) ?? ErrorCode.unknownMemberId
  const member = state.byInstance(groupInstanceId)
  if (!member) return ErrorCode.unknownMemberId
  return member.memberId === memberId ? member : ErrorCode.fencedInstanceId
}
