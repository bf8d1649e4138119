// Decides what a JoinGroup is: a new member, a known member that rejoins, a static member that
// returned, or the retry of a request whose answer was lost. Whether the other members have to
// rejoin is the decision of rebalance.ts.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { GroupLimits } from '../group.ts'
import { joinError } from '../groupOutcome.ts'
import type { JoinRequest } from '../groupRequests.ts'
import { type GroupMember, newMember, sameProtocols } from './groupMember.ts'
import type { GroupOutbox } from './groupOutbox.ts'
import { admitJoin } from './joinAdmission.ts'
import type { MemberRoster } from './memberRoster.ts'
import type { Rebalance } from './rebalance.ts'

export class JoinPhase {
  readonly #limits: GroupLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #rebalance: Rebalance
  readonly #roster: MemberRoster
  readonly #outbox: GroupOutbox

  constructor(
    limits: GroupLimits,
    newMemberId: (prefix: string) => string,
    rebalance: Rebalance,
    outbox: GroupOutbox,
  ) {
    this.#limits = limits
    this.#newMemberId = newMemberId
    this.#rebalance = rebalance
    this.#roster = rebalance.roster
    this.#outbox = outbox
  }

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    const refusal = this.#admitJoin(request)
    if (refusal === ErrorCode.groupMaxSizeReached) {
      this.#turnAway(nowMs, requestId, request.memberId)
      return
    }
    if (refusal !== ErrorCode.none) {
      this.#outbox.joined(requestId, joinError(refusal, request.memberId))
      return
    }
    if (request.memberId === '') {
      this.#joinAsNew(nowMs, requestId, request)
      return
    }
    // Only dynamic members are promised member ids (KIP-394).
    if (request.groupInstanceId === null && this.#roster.promised.has(request.memberId)) {
      this.#rebalance.add(nowMs, newMember(request.memberId, request), request, requestId)
      return
    }
    const error = this.#roster.identify(request)
    if (error !== ErrorCode.none) {
      this.#outbox.joined(requestId, joinError(error, request.memberId))
      return
    }
    this.#joinAgain(nowMs, requestId, this.#roster.get(request.memberId)!, request)
  }

  #admitJoin(request: JoinRequest): number {
    const { state, protocolType, roster } = this.#rebalance
    if (state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const isPreparing = state === 'PreparingRebalance'
    const { maxSize } = this.#limits
    return admitJoin({ roster, protocolType, isPreparing, maxSize }, request)
  }

  /**
   * Refuses a member because the group is full. A known member, or a promised member id, loses its
   * place.
   */
  #turnAway(nowMs: number, requestId: number, memberId: string): void {
    this.#outbox.joined(requestId, joinError(ErrorCode.groupMaxSizeReached, ''))
    const member = this.#roster.get(memberId)
    if (member) this.#rebalance.dismiss(member)
    else this.#roster.withdraw(memberId)
    this.#rebalance.membersGone(nowMs)
  }

  #joinAsNew(nowMs: number, requestId: number, request: JoinRequest): void {
    const { groupInstanceId } = request
    const memberId = this.#newMemberId(groupInstanceId ?? request.clientId)
    if (groupInstanceId === null && request.requireKnownMemberId) {
      this.#roster.promise(memberId, nowMs + request.sessionTimeoutMs)
      this.#outbox.joined(requestId, joinError(ErrorCode.memberIdRequired, memberId))
      return
    }
    const member = newMember(memberId, request)
    const known = groupInstanceId === null ? undefined : this.#roster.byInstance(groupInstanceId)
    if (!known) {
      this.#rebalance.add(nowMs, member, request, requestId)
      return
    }
    member.assignment = known.assignment
    member.isNew = false
    const { supportsSkippingAssignment } = request
    this.#rebalance.replace(nowMs, known, member, requestId, supportsSkippingAssignment)
  }

  #joinAgain(nowMs: number, requestId: number, member: GroupMember, request: JoinRequest): void {
    const { state, generation } = this.#rebalance
    const isLeader = member.memberId === this.#roster.leader
    const isUnchanged = sameProtocols(member.protocols, request.protocols)
    // A leader that rejoins a stable group asks for a rebalance (the partitions of a topic
    // changed). Any other member that repeats its JoinGroup unchanged has only missed the answer.
    const isRepeated =
      isUnchanged && (state === 'CompletingRebalance' || (state === 'Stable' && !isLeader))
    if (!isRepeated) {
      this.#rebalance.rejoin(nowMs, member, request, requestId)
      return
    }
    this.#rebalance.touch(nowMs, member)
    const withMembers = isLeader && state !== 'Stable'
    const outcome = generation.joinOutcome(member, this.#roster, withMembers)
    this.#outbox.joined(requestId, outcome)
  }
}
