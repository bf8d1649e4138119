// A consumer group of the classic protocol (KIP-134, 345, 394, 814), as a state machine: requests
// and the time go in, `takeEffects` returns answers and writes. Must never read a clock, send or
// write. Times are monotonic milliseconds.
//
// Contract of the folder: every request is answered exactly once; a member is never answered with a
// generation that it has not joined, nor with an assignment that is not durable.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Group, GroupLimits, OffsetsUnused } from '../group.ts'
import { type GroupEffect, type GroupStep, syncError } from '../groupOutcome.ts'
import type { GroupMetadataValue, GroupRecord } from '../groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from '../groupRequests.ts'
import type { MemberBudget } from '../memberBudget.ts'
import type { GroupMember } from './groupMember.ts'
import { GroupOutbox } from './groupOutbox.ts'
import { JoinPhase } from './joinPhase.ts'
import type { MemberRoster } from './memberRoster.ts'
import { OffsetAdmission } from './offsetAdmission.ts'
import { type GroupState, Rebalance } from './rebalance.ts'

export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly groupId: string
  readonly #rebalance: Rebalance
  readonly #roster: MemberRoster
  readonly #outbox = new GroupOutbox()
  readonly #joining: JoinPhase
  readonly #offsets: OffsetAdmission

  /** `newMemberId` returns a unique member id that starts with the prefix. */
  constructor(
    groupId: string,
    limits: GroupLimits,
    newMemberId: (prefix: string) => string,
    budget: MemberBudget,
  ) {
    this.groupId = groupId
    this.#rebalance = new Rebalance(groupId, limits, this.#outbox, budget)
    this.#roster = this.#rebalance.roster
    this.#joining = new JoinPhase(limits, newMemberId, this.#rebalance, this.#outbox)
    this.#offsets = new OffsetAdmission(this.#rebalance, this.#roster)
  }

  get state(): GroupState {
    return this.#rebalance.state
  }

  get generationId(): number {
    return this.#rebalance.generation.id
  }

  get protocolType(): string | null {
    return this.#rebalance.protocolType
  }

  get protocolName(): string | null {
    return this.#rebalance.generation.protocolName
  }

  get leader(): string | null {
    return this.#roster.leader
  }

  get isEmpty(): boolean {
    return this.state === 'Empty'
  }

  get isUntouched(): boolean {
    return this.isEmpty && !this.#rebalance.isWritten && this.#roster.promised.size === 0
  }

  members(): Iterable<GroupMember> {
    return this.#roster.all()
  }

  /**
   * Restores the group from its record, which was written `ageMs` ago (undefined when not known).
   */
  restore(nowMs: number, value: GroupMetadataValue, ageMs: number | undefined): void {
    this.#rebalance.restore(nowMs, value, ageMs)
  }

  // Membership

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    this.#joining.join(nowMs, requestId, request)
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const error = this.#refuseSync(request)
    if (error === ErrorCode.none) this.#rebalance.sync(nowMs, requestId, request)
    else this.#outbox.synced(requestId, syncError(error))
  }

  #refuseSync(request: SyncRequest): number {
    const error = this.#rebalance.authenticate(request, request.generationId)
    if (error !== ErrorCode.none) return error
    const { protocolType, protocolName } = request
    const disagrees =
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocolName !== null && protocolName !== this.protocolName)
    if (disagrees) return ErrorCode.inconsistentGroupProtocol
    return this.state === 'PreparingRebalance' ? ErrorCode.rebalanceInProgress : ErrorCode.none
  }

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    const error = this.#rebalance.authenticate(identity, generationId)
    if (error !== ErrorCode.none) return error
    this.#rebalance.touch(nowMs, this.#roster.get(identity.memberId)!)
    return this.#rebalance.state === 'PreparingRebalance'
      ? ErrorCode.rebalanceInProgress
      : ErrorCode.none
  }

  /**
   * Removes members; returns an error code for each. The remaining members are asked to rejoin
   * once.
   */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[] {
    if (this.state === 'Dead') return members.map(() => ErrorCode.coordinatorNotAvailable)
    const codes = members.map((identity) => this.#leaveOne(identity))
    if (codes.includes(ErrorCode.none)) this.#rebalance.membersGone(nowMs)
    return codes
  }

  #leaveOne(identity: MemberIdentity): number {
    if (this.#roster.withdraw(identity.memberId)) return ErrorCode.none
    // Tools remove a static member by its instance id alone.
    const byInstance = identity.memberId === '' && identity.groupInstanceId !== null
    const member = byInstance
      ? this.#roster.byInstance(identity.groupInstanceId!)
      : this.#roster.get(identity.memberId)
    const error = byInstance ? ErrorCode.none : this.#roster.identify(identity)
    if (error !== ErrorCode.none) return error
    if (!member) return ErrorCode.unknownMemberId
    this.#rebalance.dismiss(member)
    return ErrorCode.none
  }

  /** Asks every member to rejoin. Returns false when the group has no members. */
  rebalance(nowMs: number): boolean {
    if (this.isEmpty || this.state === 'Dead') return false
    this.#rebalance.begin(nowMs)
    return true
  }

  // Offsets

  admitCommit(nowMs: number, committer: Committer): number {
    const error = this.#offsets.admitCommit(committer)
    const member = this.#roster.get(committer.memberId)
    if (error === ErrorCode.none && member && !this.isEmpty) this.#rebalance.touch(nowMs, member)
    return error
  }

  admitTransactionalCommit(member: MemberIdentity, generationId: number): number {
    return this.#offsets.admitTransactionalCommit(member, generationId)
  }

  admitOffsetFetch(): number {
    return this.#offsets.admitFetch()
  }

  admitOffsetDelete(): number {
    return this.#offsets.admitDelete()
  }

  isSubscribedTo(topic: string): boolean {
    return this.#offsets.isSubscribedTo(topic)
  }

  offsetsUnused(): OffsetsUnused {
    return this.#offsets.unused()
  }

  tombstones(): readonly GroupRecord[] {
    return [{ type: 'group', groupId: this.groupId, value: null }]
  }

  written(nowMs: number, step: GroupStep, errorCode: number): void {
    this.#rebalance.written(nowMs, step, errorCode)
  }

  end(errorCode: number): void {
    this.#rebalance.end(errorCode)
  }

  takeEffects(): GroupEffect[] {
    return this.#outbox.takeEffects()
  }

  // Time

  /** Returns when `tick` is due; Infinity for never. */
  nextDeadlineMs(): number {
    let next = this.#rebalance.nextDeadlineMs()
    for (const member of this.#roster.all()) next = Math.min(next, member.sessionDeadlineMs)
    for (const deadlineMs of this.#roster.promised.values()) next = Math.min(next, deadlineMs)
    return next
  }

  tick(nowMs: number): void {
    for (const [memberId, deadlineMs] of [...this.#roster.promised]) {
      if (deadlineMs > nowMs) continue
      this.#roster.withdraw(memberId)
      this.#rebalance.joinersChanged(nowMs)
    }
    for (const member of [...this.#roster.all()]) {
      // The removal of an earlier member may have completed a rebalance and so renewed this
      // session.
      const isMember = this.#roster.get(member.memberId) === member
      if (!isMember || member.sessionDeadlineMs > nowMs) continue
      this.#rebalance.dismiss(member)
      this.#rebalance.membersGone(nowMs)
    }
    this.#rebalance.tick(nowMs)
  }
}
