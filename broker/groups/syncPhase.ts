// What SyncGroup asks of a classic group: the assignment of a member, which the leader brings with its
// own request. Nobody is told anything before all of it is durable; who does not ask in time is no
// member any more.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assign } from './groupMember.ts'
import { noAssignment, syncError } from './groupOutcome.ts'
import type { SyncRequest } from './groupRequests.ts'
import type { MemberAnswers } from './memberAnswers.ts'
import type { MemberRoster } from './memberRoster.ts'
import type { Rebalance } from './rebalance.ts'
import type { SyncRound } from './syncRound.ts'

export class SyncPhase {
  readonly #rebalance: Rebalance
  readonly #roster: MemberRoster
  readonly #answers: MemberAnswers
  readonly #round: SyncRound

  constructor(rebalance: Rebalance) {
    this.#rebalance = rebalance
    this.#roster = rebalance.roster
    this.#answers = rebalance.answers
    this.#round = rebalance.syncRound
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const error = this.#refuseSync(request)
    if (error !== ErrorCode.none) {
      this.#answers.synced(requestId, syncError(error))
      return
    }
    const member = this.#roster.get(request.memberId)!
    this.#round.settle(member.memberId)
    if (this.#rebalance.state === 'Stable') {
      this.#rebalance.touch(nowMs, member)
      member.formerAssignment = noAssignment
      this.#answers.synced(requestId, this.#rebalance.generation.syncOutcome(member))
      return
    }
    this.#answers.sync(member, syncError(ErrorCode.unknownMemberId))
    member.syncRequest = requestId
    member.sessionDeadlineMs = Number.POSITIVE_INFINITY
    if (member.memberId !== this.#roster.leader || this.#round.assignments) return
    this.#round.accept(request.assignments)
    const { id } = this.#rebalance.generation
    this.#rebalance.persist(this.#round.assignments, (thenMs, errorCode) =>
      this.#assigned(thenMs, id, errorCode),
    )
  }

  #refuseSync(request: SyncRequest): number {
    const error = this.#rebalance.authenticate(request, request.generationId)
    if (error !== ErrorCode.none) return error
    const { protocolType, protocolName } = request
    const disagrees =
      (protocolType !== null && protocolType !== this.#rebalance.protocolType) ||
      (protocolName !== null && protocolName !== this.#rebalance.generation.protocolName)
    if (disagrees) return ErrorCode.inconsistentGroupProtocol
    return this.#rebalance.state === 'PreparingRebalance'
      ? ErrorCode.rebalanceInProgress
      : ErrorCode.none
  }

  /** The leader's assignment for a generation has been written (or could not be). */
  #assigned(nowMs: number, generationId: number, errorCode: number): void {
    const current =
      this.#rebalance.state === 'CompletingRebalance' &&
      generationId === this.#rebalance.generation.id
    const assignments = current ? this.#round.takeAssignments() : undefined
    if (!assignments) return
    if (errorCode !== ErrorCode.none) {
      this.#rebalance.refuseSyncs(nowMs, errorCode)
      this.#rebalance.begin(nowMs)
      return
    }
    this.#rebalance.enter(nowMs, 'Stable')
    for (const member of this.#roster.all()) {
      assign(member, assignments.get(member.memberId) ?? noAssignment)
      if (member.syncRequest === undefined) continue
      member.formerAssignment = noAssignment
      this.#answers.sync(member, this.#rebalance.generation.syncOutcome(member))
      this.#rebalance.touch(nowMs, member)
    }
  }

  /** Those who have not asked are given up. */
  deadlinePassed(nowMs: number): void {
    const missing = this.#round.expire()
    for (const memberId of missing) {
      const member = this.#roster.get(memberId)
      if (member) this.#rebalance.dismiss(member)
    }
    if (missing.length > 0) this.#rebalance.begin(nowMs)
  }
}
