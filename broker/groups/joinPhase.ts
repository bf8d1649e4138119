// What JoinGroup asks of a classic group: to be let in, to have the place back that a member id or a
// static instance stands for, or only the answer again that did not arrive. It decides who is a member
// and whether the others have to join as well; how they do is in rebalance.ts.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { GroupLimits } from './group.ts'
import { type GroupMember, newMember, sameProtocols } from './groupMember.ts'
import { joinError } from './groupOutcome.ts'
import type { JoinRequest } from './groupRequests.ts'
import { admitJoin } from './joinAdmission.ts'
import type { MemberAnswers } from './memberAnswers.ts'
import type { MemberRoster } from './memberRoster.ts'
import type { Rebalance } from './rebalance.ts'

export class JoinPhase {
  readonly #limits: GroupLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #rebalance: Rebalance
  readonly #roster: MemberRoster
  readonly #answers: MemberAnswers

  constructor(limits: GroupLimits, newMemberId: (prefix: string) => string, rebalance: Rebalance) {
    this.#limits = limits
    this.#newMemberId = newMemberId
    this.#rebalance = rebalance
    this.#roster = rebalance.roster
    this.#answers = rebalance.answers
  }

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    const refusal = this.#admitJoin(request)
    if (refusal === ErrorCode.groupMaxSizeReached) {
      this.#turnAway(nowMs, requestId, request.memberId)
      return
    }
    if (refusal !== ErrorCode.none) {
      this.#answers.joined(requestId, joinError(refusal, request.memberId))
      return
    }
    if (request.memberId === '') {
      this.#joinAsNew(nowMs, requestId, request)
      return
    }
    // Member ids are only promised to dynamic members.
    if (request.groupInstanceId === null && this.#roster.promised.has(request.memberId)) {
      this.#add(nowMs, requestId, request.memberId, request)
      return
    }
    const error = this.#roster.identify(request)
    if (error !== ErrorCode.none) {
      this.#answers.joined(requestId, joinError(error, request.memberId))
      return
    }
    this.#joinAgain(nowMs, requestId, this.#roster.get(request.memberId)!, request)
  }

  #admitJoin(request: JoinRequest): number {
    if (this.#rebalance.state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const isPreparing = this.#rebalance.state === 'PreparingRebalance'
    const { maxSize } = this.#limits
    const { protocolType, roster } = this.#rebalance
    return admitJoin({ roster, protocolType, isPreparing, maxSize }, request)
  }

  /** There is no place: whoever had one, or was promised one, has it no more. */
  #turnAway(nowMs: number, requestId: number, memberId: string): void {
    this.#answers.joined(requestId, joinError(ErrorCode.groupMaxSizeReached, ''))
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
      this.#answers.joined(requestId, joinError(ErrorCode.memberIdRequired, memberId))
      return
    }
    const known = groupInstanceId === null ? undefined : this.#roster.byInstance(groupInstanceId)
    if (known) this.#returnOfStatic(nowMs, requestId, known, memberId, request)
    else this.#add(nowMs, requestId, memberId, request)
  }

  #add(nowMs: number, requestId: number, memberId: string, request: JoinRequest): void {
    const member = newMember(memberId, request)
    if (this.#roster.size === 0) this.#rebalance.protocolType = request.protocolType
    this.#roster.add(member)
    this.#rebalance.joinWait.memberAdded()
    this.#rebalance.awaitJoin(nowMs, member, requestId)
    this.#rebalance.begin(nowMs)
  }

  #joinAgain(nowMs: number, requestId: number, member: GroupMember, request: JoinRequest): void {
    const isLeader = member.memberId === this.#roster.leader
    const unchanged = sameProtocols(member.protocols, request.protocols)
    // A leader that joins a stable group wants a rebalance (it saw partitions come). Anybody else
    // who asks for the same again has only missed our answer.
    const answerMissed =
      unchanged &&
      (this.#rebalance.state === 'CompletingRebalance' ||
        (this.#rebalance.state === 'Stable' && !isLeader))
    if (answerMissed) {
      this.#rebalance.touch(nowMs, member)
      this.#answers.joined(
        requestId,
        this.#rebalance.generation.joinOutcome(
          member,
          this.#roster,
          isLeader && this.#rebalance.state !== 'Stable',
        ),
      )
      return
    }
    this.#roster.update(member, request)
    this.#rebalance.awaitJoin(nowMs, member, requestId)
    this.#rebalance.begin(nowMs)
  }

  /** A static instance was restarted: it takes its old place under a new id (KIP-345). */
  #returnOfStatic(
    nowMs: number,
    requestId: number,
    old: GroupMember,
    memberId: string,
    request: JoinRequest,
  ): void {
    const member = newMember(memberId, request)
    member.assignment = old.assignment
    member.isNew = false
    const previousLeader = this.#roster.leader ?? ''
    // Whoever still waits under the instance's old id must not go on.
    this.#answers.refuse(old, ErrorCode.fencedInstanceId)
    this.#roster.replace(old, member)
    this.#rebalance.syncRound.settle(old.memberId)
    this.#rebalance.awaitJoin(nowMs, member, requestId)
    const isUnchanged =
      this.#rebalance.state === 'Stable' &&
      this.#roster.selectProtocol() === this.#rebalance.generation.protocolName
    if (!isUnchanged) {
      this.#rebalance.begin(nowMs)
      return
    }
    // It must not be told its new id before that is durable: after a crash the old would fence it.
    const generation = this.#rebalance.generation
    this.#rebalance.persist(undefined, (thenMs, errorCode) => {
      // A rebalance that has begun meanwhile answers it.
      if (this.#rebalance.state !== 'Stable' || member.joinRequest !== requestId) return
      const skips = request.supportsSkippingAssignment
      const outcome = generation.returnOutcome(member, this.#roster, previousLeader, skips)
      this.#answers.join(member, errorCode === ErrorCode.none ? outcome : joinError(errorCode, ''))
      this.#rebalance.touch(thenMs, member)
    })
  }
}
