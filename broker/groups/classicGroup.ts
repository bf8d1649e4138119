// One group of the classic protocol (KIP-134, 345, 394, 814), as a state machine: requests and the
// time go in, outcomes and effects come out. It reads no clock, sends nothing and writes nothing. Its
// states, and how it gets from one to the next, are in rebalance.ts; here is who stays and who goes.
//
// Times are monotonic milliseconds.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Group, GroupLimits, OffsetsUnused } from './group.ts'
import type { GroupMember } from './groupMember.ts'
import type { GroupEffect } from './groupOutcome.ts'
import type { GroupMetadataValue, GroupRecord } from './groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'
import { JoinPhase } from './joinPhase.ts'
import type { MemberBudget } from './memberBudget.ts'
import type { MemberRoster } from './memberRoster.ts'
import { OffsetAdmission } from './offsetAdmission.ts'
import { type GroupState, Rebalance } from './rebalance.ts'
import { SyncPhase } from './syncPhase.ts'

export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly groupId: string
  readonly #limits: GroupLimits
  readonly #rebalance: Rebalance
  readonly #roster: MemberRoster
  readonly #joining: JoinPhase
  readonly #syncing: SyncPhase
  readonly #offsets: OffsetAdmission

  /** `effects` is the shell's list; `newMemberId` makes a unique id that starts with the prefix. */
  constructor(
    groupId: string,
    limits: GroupLimits,
    newMemberId: (prefix: string) => string,
    effects: GroupEffect[],
    budget: MemberBudget,
  ) {
    this.groupId = groupId
    this.#limits = limits
    this.#rebalance = new Rebalance(groupId, limits, effects, budget)
    this.#roster = this.#rebalance.roster
    this.#joining = new JoinPhase(limits, newMemberId, this.#rebalance)
    this.#syncing = new SyncPhase(this.#rebalance)
    this.#offsets = new OffsetAdmission(this.#rebalance)
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
   * Takes over what was stored `ageMs` ago (undefined when that is not known); every member gets a
   * whole session to be heard of again.
   */
  restore(nowMs: number, value: GroupMetadataValue, ageMs: number | undefined): void {
    this.#rebalance.restore(nowMs, value, ageMs)
  }

  // Membership

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    this.#joining.join(nowMs, requestId, request)
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    this.#syncing.sync(nowMs, requestId, request)
  }

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    const error = this.#rebalance.authenticate(identity, generationId)
    if (error !== ErrorCode.none) return error
    this.#rebalance.touch(nowMs, this.#roster.get(identity.memberId)!)
    return this.#rebalance.state === 'PreparingRebalance'
      ? ErrorCode.rebalanceInProgress
      : ErrorCode.none
  }

  /** An error code for each member; those who stay are asked to join again once. */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[] {
    if (this.state === 'Dead') return members.map(() => ErrorCode.coordinatorNotAvailable)
    const codes = members.map((identity) => this.#leaveOne(identity))
    if (codes.includes(ErrorCode.none)) this.#rebalance.membersGone(nowMs)
    return codes
  }

  #leaveOne(identity: MemberIdentity): number {
    if (this.#roster.withdraw(identity.memberId)) return ErrorCode.none
    // Tools remove a static member by its instance alone.
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

  /** Asks every member to join again. False when there is none. */
  rebalance(nowMs: number): boolean {
    if (this.isEmpty || this.state === 'Dead') return false
    this.#rebalance.begin(nowMs)
    return true
  }

  // Offsets

  admitCommit(nowMs: number, committer: Committer): number {
    return this.#offsets.admitCommit(nowMs, committer)
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

  end(errorCode: number): void {
    this.#rebalance.end(errorCode)
  }

  // Time

  /** When `tick` has something to do; Infinity for never. */
  nextDeadlineMs(): number {
    const { joinWait, syncRound } = this.#rebalance
    let next = Math.min(joinWait.deadlineMs, syncRound.deadlineMs)
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
      // An earlier removal may have ended a rebalance, and so given this one a new session.
      const isMember = this.#roster.get(member.memberId) === member
      if (!isMember || member.sessionDeadlineMs > nowMs) continue
      this.#rebalance.dismiss(member)
      this.#rebalance.membersGone(nowMs)
    }
    const { joinWait, syncRound } = this.#rebalance
    if (joinWait.deadlineMs <= nowMs) {
      const isExtended = joinWait.extend(nowMs, this.#limits.initialRebalanceDelayMs)
      if (!isExtended) this.#rebalance.completeJoin(nowMs)
    }
    if (syncRound.deadlineMs <= nowMs) this.#syncing.deadlinePassed(nowMs)
  }
}
