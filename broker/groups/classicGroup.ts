// One group of the classic protocol (KIP-134, 345, 394, 814), as a state machine: requests and the
// time go in, outcomes and effects come out. It reads no clock, sends nothing and writes nothing.
//
//   Empty -> PreparingRebalance   a member joined; the others have to join (again)
//   PreparingRebalance -> CompletingRebalance   all did, or time is up: a new generation
//   CompletingRebalance -> Stable   the leader's assignment is durable
//   any -> PreparingRebalance   somebody came, left, changed, or was not heard of
//
// Times are monotonic milliseconds.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { Generation } from './generation.ts'
import {
  type GroupMember,
  newMember,
  restoredMember,
  sameProtocols,
  updateMember,
} from './groupMember.ts'
import {
  type GroupEffect,
  type JoinOutcome,
  joinError,
  noAssignment,
  type SyncOutcome,
  syncError,
} from './groupOutcome.ts'
import type { GroupMetadataValue } from './groupRecords.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'
import { MemberRoster } from './memberRoster.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface GroupLimits {
  readonly initialRebalanceDelayMs: number
  readonly maxSize: number
}

/** A new member whose client has gone would otherwise hold up its group for ever. */
const newMemberJoinTimeoutMs = 5 * 60_000

export class ClassicGroup {
  readonly groupId: string
  readonly #limits: GroupLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #effects: GroupEffect[]
  readonly #roster = new MemberRoster()
  #state: GroupState = 'Empty'
  #generation = new Generation(0, null, null)
  /** Of those who are joining; the generation takes it over. */
  #protocolType: string | null = null
  /** When waiting for joins ends; Infinity when nobody waits. */
  #joinDeadlineMs = Number.POSITIVE_INFINITY
  /** When those who have not synced are given up. */
  #syncDeadlineMs = Number.POSITIVE_INFINITY
  readonly #unsynced = new Set<string>()
  /** The first rebalance waits for latecomers: what is left of that, and whether one came. */
  #initialRebalance: { remainingMs: number; memberAdded: boolean } | undefined
  /** The leader's assignment that is being written. */
  #assignments: ReadonlyMap<string, Buffer> | undefined

  /** `effects` is the shell's list; `newMemberId` makes a unique id that starts with the prefix. */
  constructor(
    groupId: string,
    limits: GroupLimits,
    newMemberId: (prefix: string) => string,
    effects: GroupEffect[],
  ) {
    this.groupId = groupId
    this.#limits = limits
    this.#newMemberId = newMemberId
    this.#effects = effects
  }

  get state(): GroupState {
    return this.#state
  }

  get generationId(): number {
    return this.#generation.id
  }

  get protocolType(): string | null {
    return this.#protocolType
  }

  get protocolName(): string | null {
    return this.#generation.protocolName
  }

  get leader(): string | null {
    return this.#roster.leader
  }

  get promisedMembers(): number {
    return this.#roster.promised.size
  }

  members(): Iterable<GroupMember> {
    return this.#roster.all()
  }

  /** Takes over what was stored; every member gets a whole session to be heard of again. */
  restore(nowMs: number, value: GroupMetadataValue): void {
    this.#protocolType = value.protocolType === '' ? null : value.protocolType
    this.#generation = new Generation(value.generation, this.#protocolType, value.protocol)
    for (const stored of value.members) {
      this.#roster.add(restoredMember(stored, value.protocol, nowMs))
    }
    this.#roster.leader = value.leader
    this.#state = this.#roster.size > 0 ? 'Stable' : 'Empty'
  }

  // Joining

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    const refusal = this.#refuseJoin(request)
    if (refusal !== ErrorCode.none) {
      const full = refusal === ErrorCode.groupMaxSizeReached
      if (full) this.#roster.withdraw(request.memberId)
      this.#joined(requestId, joinError(refusal, full ? '' : request.memberId))
      return
    }
    if (request.memberId === '') {
      this.#joinAsNew(nowMs, requestId, request)
      return
    }
    if (this.#roster.promised.has(request.memberId)) {
      this.#add(nowMs, requestId, request.memberId, request)
      return
    }
    const error = this.#identify(request)
    if (error !== ErrorCode.none) {
      this.#joined(requestId, joinError(error, request.memberId))
      return
    }
    this.#joinAgain(nowMs, requestId, this.#roster.get(request.memberId)!, request)
  }

  #refuseJoin({ memberId, groupInstanceId, protocolType, protocols }: JoinRequest): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    if (!this.#hasRoomFor(memberId)) return ErrorCode.groupMaxSizeReached
    const names = protocols.map(({ name }) => name)
    const rejoining =
      groupInstanceId === null
        ? this.#roster.get(memberId)
        : this.#roster.byInstance(groupInstanceId)
    const agrees =
      this.#roster.size === 0
        ? protocolType !== '' && names.length > 0
        : protocolType === this.#protocolType && this.#roster.supportsAny(names, rejoining)
    return agrees ? ErrorCode.none : ErrorCode.inconsistentGroupProtocol
  }

  #hasRoomFor(memberId: string): boolean {
    const { maxSize } = this.#limits
    const member = this.#roster.get(memberId)
    if (this.#state !== 'PreparingRebalance') return !!member || this.#roster.size < maxSize
    return member?.joinRequest !== undefined || this.#roster.waitingToJoin < maxSize
  }

  #joinAsNew(nowMs: number, requestId: number, request: JoinRequest): void {
    const { groupInstanceId } = request
    const memberId = this.#newMemberId(groupInstanceId ?? request.clientId)
    if (groupInstanceId === null && request.requireKnownMemberId) {
      this.#roster.promise(memberId, nowMs + request.sessionTimeoutMs)
      this.#joined(requestId, joinError(ErrorCode.memberIdRequired, memberId))
      return
    }
    const known = groupInstanceId === null ? undefined : this.#roster.byInstance(groupInstanceId)
    if (known) this.#returnOfStatic(nowMs, requestId, known, memberId, request)
    else this.#add(nowMs, requestId, memberId, request)
  }

  #add(nowMs: number, requestId: number, memberId: string, request: JoinRequest): void {
    const member = newMember(memberId, request)
    if (this.#roster.size === 0) this.#protocolType = request.protocolType
    this.#roster.add(member)
    if (this.#initialRebalance) this.#initialRebalance.memberAdded = true
    this.#awaitJoin(nowMs, member, requestId)
    this.#rebalance(nowMs)
  }

  #joinAgain(nowMs: number, requestId: number, member: GroupMember, request: JoinRequest): void {
    const isLeader = member.memberId === this.#roster.leader
    const unchanged = sameProtocols(member.protocols, request.protocols)
    // A leader that joins a stable group wants a rebalance (it saw partitions come). Anybody else
    // who asks for the same again has only missed our answer.
    const answerMissed =
      unchanged &&
      (this.#state === 'CompletingRebalance' || (this.#state === 'Stable' && !isLeader))
    if (answerMissed) {
      this.#touch(nowMs, member)
      this.#joined(
        requestId,
        this.#generation.joinOutcome(member, this.#roster, isLeader && this.#state !== 'Stable'),
      )
      return
    }
    updateMember(member, request)
    this.#awaitJoin(nowMs, member, requestId)
    this.#rebalance(nowMs)
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
    const previousLeader = this.#roster.leader
    this.#fence(old)
    this.#roster.replace(old, member)
    this.#unsynced.delete(old.memberId)
    if (
      this.#state !== 'Stable' ||
      this.#roster.selectProtocol() !== this.#generation.protocolName
    ) {
      this.#awaitJoin(nowMs, member, requestId)
      this.#rebalance(nowMs)
      return
    }
    this.#touch(nowMs, member)
    this.#persist(undefined)
    const leads = this.#roster.leader === memberId
    const outcome = this.#generation.joinOutcome(
      member,
      this.#roster,
      leads && request.supportsSkippingAssignment,
    )
    // A client that cannot skip the assignment is told that its former self leads, so that it does
    // not compute one that nobody waits for.
    this.#joined(
      requestId,
      leads && request.supportsSkippingAssignment
        ? { ...outcome, skipAssignment: true }
        : { ...outcome, leader: previousLeader ?? '' },
    )
  }

  /** Whoever still waits under the old id of a static instance must not go on. */
  #fence(member: GroupMember): void {
    this.#answerJoin(member, joinError(ErrorCode.fencedInstanceId, member.memberId))
    this.#answerSync(member, syncError(ErrorCode.fencedInstanceId))
  }

  #awaitJoin(nowMs: number, member: GroupMember, requestId: number): void {
    // The same member on a new connection: the former request has no reader any more.
    this.#answerJoin(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    member.joinRequest = requestId
    member.sessionDeadlineMs = member.isNew
      ? nowMs + newMemberJoinTimeoutMs
      : Number.POSITIVE_INFINITY
  }

  // Rebalancing

  /** Asks everyone to join, or, when that is under way, looks whether all have. */
  #rebalance(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') {
      if (!this.#initialRebalance && this.#roster.allJoined) this.#completeJoin(nowMs)
      return
    }
    if (this.#state === 'CompletingRebalance') {
      this.#refuseSyncs(nowMs, ErrorCode.rebalanceInProgress)
    }
    const wasEmpty = this.#state === 'Empty'
    this.#state = 'PreparingRebalance'
    this.#assignments = undefined
    this.#syncDeadlineMs = Number.POSITIVE_INFINITY
    this.#unsynced.clear()
    const timeoutMs = this.#roster.longestRebalanceTimeoutMs
    const delayMs = this.#limits.initialRebalanceDelayMs
    if (wasEmpty && delayMs > 0) {
      this.#initialRebalance = {
        remainingMs: Math.max(timeoutMs - delayMs, 0),
        memberAdded: false,
      }
      this.#joinDeadlineMs = nowMs + delayMs
    } else if (wasEmpty || this.#roster.allJoined) {
      this.#completeJoin(nowMs)
    } else {
      this.#joinDeadlineMs = nowMs + timeoutMs
    }
  }

  /** The wait for joins is over. */
  #joinDeadlinePassed(nowMs: number): void {
    const initial = this.#initialRebalance
    if (initial?.memberAdded && initial.remainingMs > 0) {
      const delayMs = Math.min(this.#limits.initialRebalanceDelayMs, initial.remainingMs)
      initial.remainingMs -= delayMs
      initial.memberAdded = false
      this.#joinDeadlineMs = nowMs + delayMs
      return
    }
    this.#completeJoin(nowMs)
  }

  /** Starts the next generation with those who have joined. */
  #completeJoin(nowMs: number): void {
    assert(this.#state === 'PreparingRebalance', 'joins complete while preparing a rebalance')
    this.#initialRebalance = undefined
    for (const member of [...this.#roster.all()]) {
      // Static members keep their place until their session ends (KIP-345).
      if (member.joinRequest === undefined && member.groupInstanceId === null) {
        this.#roster.remove(member)
      }
    }
    if (this.#roster.size > 0 && !this.#roster.electJoinedLeader()) {
      this.#joinDeadlineMs = nowMs + this.#roster.longestRebalanceTimeoutMs
      return
    }
    this.#joinDeadlineMs = Number.POSITIVE_INFINITY
    this.#generation = this.#generation.next(this.#protocolType, this.#roster)
    if (this.#roster.size === 0) {
      this.#state = 'Empty'
      this.#persist(undefined)
      return
    }
    this.#state = 'CompletingRebalance'
    this.#syncDeadlineMs = nowMs + this.#roster.longestRebalanceTimeoutMs
    for (const member of this.#roster.all()) this.#announceGeneration(nowMs, member)
  }

  #announceGeneration(nowMs: number, member: GroupMember): void {
    this.#answerJoin(
      member,
      this.#generation.joinOutcome(member, this.#roster, member.memberId === this.#roster.leader),
    )
    this.#touch(nowMs, member)
    member.isNew = false
    this.#unsynced.add(member.memberId)
  }

  // Syncing

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const error = this.#refuseSync(request)
    if (error !== ErrorCode.none) {
      this.#synced(requestId, syncError(error))
      return
    }
    const member = this.#roster.get(request.memberId)!
    this.#unsynced.delete(member.memberId)
    if (this.#state === 'Stable') {
      this.#touch(nowMs, member)
      this.#synced(requestId, this.#generation.syncOutcome(member))
      return
    }
    this.#answerSync(member, syncError(ErrorCode.unknownMemberId))
    member.syncRequest = requestId
    member.sessionDeadlineMs = Number.POSITIVE_INFINITY
    if (member.memberId !== this.#roster.leader || this.#assignments) return
    this.#assignments = new Map(
      request.assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]),
    )
    this.#persist(this.#assignments)
  }

  #refuseSync(request: SyncRequest): number {
    const error = this.#authenticate(request, request.generationId)
    if (error !== ErrorCode.none) return error
    const { protocolType, protocolName } = request
    const disagrees =
      (protocolType !== null && protocolType !== this.#protocolType) ||
      (protocolName !== null && protocolName !== this.#generation.protocolName)
    if (disagrees) return ErrorCode.inconsistentGroupProtocol
    return this.#state === 'PreparingRebalance' ? ErrorCode.rebalanceInProgress : ErrorCode.none
  }

  /** The group's record for a generation has been written (or could not be). */
  persisted(nowMs: number, generationId: number, errorCode: number): void {
    const current = this.#state === 'CompletingRebalance' && generationId === this.#generation.id
    if (!current || !this.#assignments) return
    const assignments = this.#assignments
    this.#assignments = undefined
    if (errorCode !== ErrorCode.none) {
      this.#refuseSyncs(nowMs, errorCode)
      this.#rebalance(nowMs)
      return
    }
    this.#state = 'Stable'
    for (const member of this.#roster.all()) {
      member.assignment = assignments.get(member.memberId) ?? noAssignment
      if (member.syncRequest === undefined) continue
      this.#answerSync(member, this.#generation.syncOutcome(member))
      this.#touch(nowMs, member)
    }
  }

  // Staying and leaving

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    const error = this.#authenticate(identity, generationId)
    if (error !== ErrorCode.none) return error
    this.#touch(nowMs, this.#roster.get(identity.memberId)!)
    return this.#state === 'PreparingRebalance' ? ErrorCode.rebalanceInProgress : ErrorCode.none
  }

  leave(nowMs: number, identity: MemberIdentity): number {
    if (this.#roster.withdraw(identity.memberId)) {
      this.#joinersChanged(nowMs)
      return ErrorCode.none
    }
    // Tools remove a static member by its instance alone.
    const byInstance = identity.memberId === '' && identity.groupInstanceId !== null
    const member = byInstance
      ? this.#roster.byInstance(identity.groupInstanceId!)
      : this.#roster.get(identity.memberId)
    const error = byInstance ? ErrorCode.none : this.#identify(identity)
    if (error !== ErrorCode.none) return error
    if (!member) return ErrorCode.unknownMemberId
    this.#remove(nowMs, member)
    return ErrorCode.none
  }

  /** Whether a member may commit offsets: never one from another generation. */
  admitCommit(nowMs: number, identity: MemberIdentity, generationId: number): number {
    const anonymous =
      generationId < 0 && identity.memberId === '' && identity.groupInstanceId === null
    // Offsets set from outside (a tool, a consumer without a group): only while nobody consumes.
    if (anonymous) return this.#state === 'Empty' ? ErrorCode.none : ErrorCode.unknownMemberId
    const error = this.#authenticate(identity, generationId)
    if (error !== ErrorCode.none) return error
    this.#touch(nowMs, this.#roster.get(identity.memberId)!)
    return this.#state === 'CompletingRebalance' ? ErrorCode.rebalanceInProgress : ErrorCode.none
  }

  /** Ends the group: whoever waits is sent away. It must be empty or the broker closing. */
  end(errorCode: number): void {
    this.#state = 'Dead'
    for (const member of this.#roster.all()) {
      this.#answerJoin(member, joinError(errorCode, member.memberId))
      this.#answerSync(member, syncError(errorCode))
    }
  }

  // Time

  /** When `tick` has something to do; Infinity for never. */
  nextDeadlineMs(): number {
    let next = Math.min(this.#joinDeadlineMs, this.#syncDeadlineMs)
    for (const member of this.#roster.all()) next = Math.min(next, member.sessionDeadlineMs)
    for (const deadlineMs of this.#roster.promised.values()) next = Math.min(next, deadlineMs)
    return next
  }

  tick(nowMs: number): void {
    for (const [memberId, deadlineMs] of [...this.#roster.promised]) {
      if (deadlineMs > nowMs) continue
      this.#roster.withdraw(memberId)
      this.#joinersChanged(nowMs)
    }
    for (const member of [...this.#roster.all()]) {
      // An earlier removal may have ended a rebalance, and so given this one a new session.
      const isMember = this.#roster.get(member.memberId) === member
      if (isMember && member.sessionDeadlineMs <= nowMs) this.#remove(nowMs, member)
    }
    if (this.#joinDeadlineMs <= nowMs) this.#joinDeadlinePassed(nowMs)
    if (this.#syncDeadlineMs <= nowMs) this.#syncDeadlinePassed(nowMs)
  }

  #syncDeadlinePassed(nowMs: number): void {
    this.#syncDeadlineMs = Number.POSITIVE_INFINITY
    const missing = [...this.#unsynced]
    this.#unsynced.clear()
    for (const memberId of missing) {
      const member = this.#roster.get(memberId)
      if (member) this.#dismiss(member)
    }
    if (missing.length > 0) this.#rebalance(nowMs)
  }

  #touch(nowMs: number, member: GroupMember): void {
    if (member.joinRequest !== undefined || member.syncRequest !== undefined) return
    member.sessionDeadlineMs = nowMs + member.sessionTimeoutMs
  }

  // Who is who

  /** Whether the member id, and the instance behind it, are this group's. */
  #identify({ memberId, groupInstanceId }: MemberIdentity): number {
    if (groupInstanceId !== null) {
      const member = this.#roster.byInstance(groupInstanceId)
      if (!member) return ErrorCode.unknownMemberId
      return member.memberId === memberId ? ErrorCode.none : ErrorCode.fencedInstanceId
    }
    return this.#roster.get(memberId) ? ErrorCode.none : ErrorCode.unknownMemberId
  }

  #authenticate(identity: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const error = this.#identify(identity)
    if (error !== ErrorCode.none) return error
    return generationId === this.#generation.id ? ErrorCode.none : ErrorCode.illegalGeneration
  }

  #remove(nowMs: number, member: GroupMember): void {
    this.#dismiss(member)
    this.#rebalance(nowMs)
  }

  #dismiss(member: GroupMember): void {
    this.#answerJoin(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    this.#answerSync(member, syncError(ErrorCode.unknownMemberId))
    this.#unsynced.delete(member.memberId)
    this.#roster.remove(member)
  }

  /** One whom a rebalance waited for will not come. */
  #joinersChanged(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.#rebalance(nowMs)
  }

  // Answers and effects

  #answerJoin(member: GroupMember, outcome: JoinOutcome): void {
    if (member.joinRequest === undefined) return
    this.#joined(member.joinRequest, outcome)
    member.joinRequest = undefined
  }

  #answerSync(member: GroupMember, outcome: SyncOutcome): void {
    if (member.syncRequest === undefined) return
    this.#synced(member.syncRequest, outcome)
    member.syncRequest = undefined
  }

  /** Whoever waited for an assignment has to be heard of again from now on. */
  #refuseSyncs(nowMs: number, errorCode: number): void {
    for (const member of this.#roster.all()) {
      if (member.syncRequest === undefined) continue
      this.#answerSync(member, syncError(errorCode))
      this.#touch(nowMs, member)
    }
  }

  #joined(requestId: number, outcome: JoinOutcome): void {
    this.#effects.push({ type: 'joined', requestId, outcome })
  }

  #synced(requestId: number, outcome: SyncOutcome): void {
    this.#effects.push({ type: 'synced', requestId, outcome })
  }

  #persist(assignments: ReadonlyMap<string, Buffer> | undefined): void {
    const value = this.#generation.record(this.#roster, assignments)
    this.#effects.push({ type: 'persist', generationId: this.#generation.id, value })
  }
}
