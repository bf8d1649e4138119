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
import { consumerProtocolType } from '../../protocol/kafka/groups.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { Generation } from './generation.ts'
import type { Group, GroupLimits, OffsetsUnused } from './group.ts'
import {
  assign,
  type GroupMember,
  metadataFor,
  newMember,
  restoredMember,
  sameProtocols,
} from './groupMember.ts'
import { type GroupEffect, joinError, noAssignment, syncError } from './groupOutcome.ts'
import type { GroupMetadataValue, GroupRecord } from './groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'
import { admitJoin } from './joinAdmission.ts'
import { JoinWait } from './joinWait.ts'
import { MemberAnswers } from './memberAnswers.ts'
import type { MemberBudget } from './memberBudget.ts'
import { MemberRoster } from './memberRoster.ts'
import { subscribedTopics } from './subscribedTopics.ts'
import { SyncRound } from './syncRound.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** A new member whose client has gone would otherwise hold up its group for ever. */
const newMemberJoinTimeoutMs = 5 * 60_000

export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly groupId: string
  readonly #limits: GroupLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #effects: GroupEffect[]
  readonly #answers: MemberAnswers
  readonly #roster: MemberRoster
  #state: GroupState = 'Empty'
  /** Undefined when the stored group does not say. */
  #stateSinceMs: number | undefined
  /** The log has, or may have, a record of this group. */
  #isWritten = false
  /** Of the generation's members; undefined where it cannot be known. */
  #subscribedTopics: ReadonlySet<string> | undefined
  #generation = new Generation(0, null, null)
  /** Of those who are joining; the generation takes it over. */
  #protocolType: string | null = null
  readonly #joinWait = new JoinWait()
  readonly #syncRound = new SyncRound()

  /** `effects` is the shell's list; `newMemberId` makes a unique id that starts with the prefix. */
  constructor(
    groupId: string,
    limits: GroupLimits,
    newMemberId: (prefix: string) => string,
    effects: GroupEffect[],
    budget: MemberBudget,
  ) {
    this.#roster = new MemberRoster(budget)
    this.groupId = groupId
    this.#limits = limits
    this.#newMemberId = newMemberId
    this.#effects = effects
    this.#answers = new MemberAnswers(effects)
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

  get isEmpty(): boolean {
    return this.#state === 'Empty'
  }

  get isUntouched(): boolean {
    return this.isEmpty && !this.#isWritten && this.#roster.promised.size === 0
  }

  members(): Iterable<GroupMember> {
    return this.#roster.all()
  }

  /**
   * Takes over what was stored `ageMs` ago (undefined when that is not known); every member gets a
   * whole session to be heard of again.
   */
  restore(nowMs: number, value: GroupMetadataValue, ageMs: number | undefined): void {
    this.#isWritten = true
    this.#protocolType = value.protocolType === '' ? null : value.protocolType
    this.#generation = new Generation(value.generation, this.#protocolType, value.protocol)
    for (const stored of value.members) {
      this.#roster.add(restoredMember(stored, value.protocol, nowMs))
    }
    this.#roster.leader = value.leader
    this.#state = this.#roster.size > 0 ? 'Stable' : 'Empty'
    this.#stateSinceMs = ageMs === undefined ? undefined : nowMs - ageMs
    this.#noteSubscriptions()
    // The bound may have been lowered: those who join again in time stay. Without a leader, nobody has
    // shared the partitions out among these members: the group was of KIP-848 before.
    const isTooLarge = this.#roster.size > this.#limits.maxSize
    if (isTooLarge || (this.#roster.size > 0 && value.leader === null)) this.#rebalance(nowMs)
  }

  // Joining

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
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const isPreparing = this.#state === 'PreparingRebalance'
    const { maxSize } = this.#limits
    const roster = this.#roster
    return admitJoin({ roster, protocolType: this.#protocolType, isPreparing, maxSize }, request)
  }

  /** There is no place: whoever had one, or was promised one, has it no more. */
  #turnAway(nowMs: number, requestId: number, memberId: string): void {
    this.#answers.joined(requestId, joinError(ErrorCode.groupMaxSizeReached, ''))
    const member = this.#roster.get(memberId)
    if (member) this.#dismiss(member)
    else this.#roster.withdraw(memberId)
    this.#membersGone(nowMs)
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
    if (this.#roster.size === 0) this.#protocolType = request.protocolType
    this.#roster.add(member)
    this.#joinWait.memberAdded()
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
      this.#answers.joined(
        requestId,
        this.#generation.joinOutcome(member, this.#roster, isLeader && this.#state !== 'Stable'),
      )
      return
    }
    this.#roster.update(member, request)
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
    const previousLeader = this.#roster.leader ?? ''
    // Whoever still waits under the instance's old id must not go on.
    this.#answers.refuse(old, ErrorCode.fencedInstanceId)
    this.#roster.replace(old, member)
    this.#syncRound.settle(old.memberId)
    this.#awaitJoin(nowMs, member, requestId)
    const isUnchanged =
      this.#state === 'Stable' && this.#roster.selectProtocol() === this.#generation.protocolName
    if (!isUnchanged) {
      this.#rebalance(nowMs)
      return
    }
    // It must not be told its new id before that is durable: after a crash the old would fence it.
    const generation = this.#generation
    this.#persist(undefined, (thenMs, errorCode) => {
      // A rebalance that has begun meanwhile answers it.
      if (this.#state !== 'Stable' || member.joinRequest !== requestId) return
      const skips = request.supportsSkippingAssignment
      const outcome = generation.returnOutcome(member, this.#roster, previousLeader, skips)
      this.#answers.join(member, errorCode === ErrorCode.none ? outcome : joinError(errorCode, ''))
      this.#touch(thenMs, member)
    })
  }

  #awaitJoin(nowMs: number, member: GroupMember, requestId: number): void {
    // The same member on a new connection: the former request has no reader any more.
    this.#answers.join(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    member.joinRequest = requestId
    member.sessionDeadlineMs = member.isNew
      ? nowMs + newMemberJoinTimeoutMs
      : Number.POSITIVE_INFINITY
  }

  // Rebalancing

  /** Asks everyone to join, or, when that is under way, looks whether all have. */
  #rebalance(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') {
      if (!this.#joinWait.isInitial && this.#roster.allJoined) this.#completeJoin(nowMs)
      return
    }
    if (this.#state === 'CompletingRebalance') {
      this.#refuseSyncs(nowMs, ErrorCode.rebalanceInProgress)
    }
    const wasEmpty = this.#state === 'Empty'
    this.#enter(nowMs, 'PreparingRebalance')
    this.#syncRound.end()
    const timeoutMs = this.#roster.longestRebalanceTimeoutMs
    const delayMs = this.#limits.initialRebalanceDelayMs
    if (wasEmpty && delayMs > 0) this.#joinWait.beginInitial(nowMs, delayMs, timeoutMs)
    else if (wasEmpty || this.#roster.allJoined) this.#completeJoin(nowMs)
    else this.#joinWait.begin(nowMs, timeoutMs)
  }

  #enter(nowMs: number, state: GroupState): void {
    this.#state = state
    this.#stateSinceMs = nowMs
  }

  #noteSubscriptions(): void {
    const { protocolName } = this.#generation
    const subscriptions = [...this.#roster.all()].map((each) => metadataFor(each, protocolName))
    this.#subscribedTopics = subscribedTopics(this.#protocolType, subscriptions)
  }

  /** Starts the next generation with those who have joined. */
  #completeJoin(nowMs: number): void {
    assert(this.#state === 'PreparingRebalance', 'joins complete while preparing a rebalance')
    this.#joinWait.end()
    for (const member of [...this.#roster.all()]) {
      // Static members keep their place until their session ends (KIP-345).
      if (member.joinRequest === undefined && member.groupInstanceId === null) {
        this.#roster.remove(member)
      }
    }
    if (this.#roster.size > 0 && !this.#roster.electJoinedLeader()) {
      this.#joinWait.begin(nowMs, this.#roster.longestRebalanceTimeoutMs)
      return
    }
    this.#generation = this.#generation.next(this.#protocolType, this.#roster)
    this.#noteSubscriptions()
    if (this.#roster.size === 0) {
      this.#enter(nowMs, 'Empty')
      // Not waited for: without it, those of before seem to be there after a crash, and time out.
      this.#persist(undefined, () => {})
      return
    }
    this.#enter(nowMs, 'CompletingRebalance')
    const members = [...this.#roster.all()]
    const memberIds = members.map(({ memberId }) => memberId)
    this.#syncRound.begin(nowMs + this.#roster.longestRebalanceTimeoutMs, memberIds)
    for (const member of members) this.#announceGeneration(nowMs, member)
  }

  #announceGeneration(nowMs: number, member: GroupMember): void {
    this.#answers.join(
      member,
      this.#generation.joinOutcome(member, this.#roster, member.memberId === this.#roster.leader),
    )
    this.#touch(nowMs, member)
    member.isNew = false
  }

  // Syncing

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const error = this.#refuseSync(request)
    if (error !== ErrorCode.none) {
      this.#answers.synced(requestId, syncError(error))
      return
    }
    const member = this.#roster.get(request.memberId)!
    this.#syncRound.settle(member.memberId)
    if (this.#state === 'Stable') {
      this.#touch(nowMs, member)
      member.formerAssignment = noAssignment
      this.#answers.synced(requestId, this.#generation.syncOutcome(member))
      return
    }
    this.#answers.sync(member, syncError(ErrorCode.unknownMemberId))
    member.syncRequest = requestId
    member.sessionDeadlineMs = Number.POSITIVE_INFINITY
    if (member.memberId !== this.#roster.leader || this.#syncRound.assignments) return
    this.#syncRound.accept(request.assignments)
    const { id } = this.#generation
    this.#persist(this.#syncRound.assignments, (thenMs, errorCode) =>
      this.#assigned(thenMs, id, errorCode),
    )
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

  /** The leader's assignment for a generation has been written (or could not be). */
  #assigned(nowMs: number, generationId: number, errorCode: number): void {
    const current = this.#state === 'CompletingRebalance' && generationId === this.#generation.id
    const assignments = current ? this.#syncRound.takeAssignments() : undefined
    if (!assignments) return
    if (errorCode !== ErrorCode.none) {
      this.#refuseSyncs(nowMs, errorCode)
      this.#rebalance(nowMs)
      return
    }
    this.#enter(nowMs, 'Stable')
    for (const member of this.#roster.all()) {
      assign(member, assignments.get(member.memberId) ?? noAssignment)
      if (member.syncRequest === undefined) continue
      member.formerAssignment = noAssignment
      this.#answers.sync(member, this.#generation.syncOutcome(member))
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

  /** An error code for each member; those who stay are asked to join again once. */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[] {
    if (this.#state === 'Dead') return members.map(() => ErrorCode.coordinatorNotAvailable)
    const codes = members.map((identity) => this.#leaveOne(identity))
    if (codes.includes(ErrorCode.none)) this.#membersGone(nowMs)
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
    this.#dismiss(member)
    return ErrorCode.none
  }

  // Offsets

  admitCommit(nowMs: number, committer: Committer): number {
    const error = this.#admitCommitter(committer, committer.generationId)
    if (error !== ErrorCode.none || this.isEmpty) return error
    // Offsets set from outside (a tool, a consumer without a group): only while nobody consumes.
    const member = this.#roster.get(committer.memberId)
    if (!member) return ErrorCode.unknownMemberId
    if (this.#state === 'CompletingRebalance') return ErrorCode.rebalanceInProgress
    this.#touch(nowMs, member)
    return ErrorCode.none
  }

  admitTransactionalCommit(member: MemberIdentity, generationId: number): number {
    return this.#admitCommitter(member, generationId)
  }

  /** Never one from another generation; who names neither a generation nor a member is nobody. */
  #admitCommitter(member: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    if (generationId < 0 && this.isEmpty) return ErrorCode.none
    const isAnonymous =
      generationId < 0 && member.memberId === '' && member.groupInstanceId === null
    return isAnonymous ? ErrorCode.none : this.#authenticate(member, generationId)
  }

  /** Classic members are not asked who they are. */
  admitOffsetFetch(): number {
    return this.#state === 'Dead' ? ErrorCode.groupIdNotFound : ErrorCode.none
  }

  admitOffsetDelete(): number {
    if (this.#state === 'Dead') return ErrorCode.groupIdNotFound
    // Of consumers it is known which topics they are at; of others it is not.
    const isConsumers = this.#protocolType === consumerProtocolType
    return this.isEmpty || isConsumers ? ErrorCode.none : ErrorCode.nonEmptyGroup
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics?.has(topic) ?? this.#protocolType === consumerProtocolType
  }

  offsetsUnused(): OffsetsUnused {
    if (this.#protocolType === null) return { since: 'commit' }
    if (this.isEmpty) {
      const ms = this.#stateSinceMs
      return ms === undefined ? { since: 'commit' } : { since: 'time', ms }
    }
    const topicsAreKnown = this.#state === 'Stable' && this.#subscribedTopics !== undefined
    return { since: topicsAreKnown ? 'commit' : 'never' }
  }

  tombstones(): readonly GroupRecord[] {
    return [{ type: 'group', groupId: this.groupId, value: null }]
  }

  end(errorCode: number): void {
    this.#state = 'Dead'
    for (const member of this.#roster.all()) {
      this.#answers.refuse(member, errorCode)
    }
    this.#roster.clear()
  }

  // Time

  /** When `tick` has something to do; Infinity for never. */
  nextDeadlineMs(): number {
    let next = Math.min(this.#joinWait.deadlineMs, this.#syncRound.deadlineMs)
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
      if (!isMember || member.sessionDeadlineMs > nowMs) continue
      this.#dismiss(member)
      this.#membersGone(nowMs)
    }
    if (this.#joinWait.deadlineMs <= nowMs) {
      const { initialRebalanceDelayMs } = this.#limits
      if (!this.#joinWait.extend(nowMs, initialRebalanceDelayMs)) this.#completeJoin(nowMs)
    }
    if (this.#syncRound.deadlineMs <= nowMs) this.#syncDeadlinePassed(nowMs)
  }

  #syncDeadlinePassed(nowMs: number): void {
    const missing = this.#syncRound.expire()
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

  #authenticate(identity: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const error = this.#roster.identify(identity)
    if (error !== ErrorCode.none) return error
    return generationId === this.#generation.id ? ErrorCode.none : ErrorCode.illegalGeneration
  }

  #dismiss(member: GroupMember): void {
    this.#answers.refuse(member, ErrorCode.unknownMemberId)
    this.#syncRound.settle(member.memberId)
    this.#roster.remove(member)
  }

  /** Members have been dismissed: the others share what was theirs. */
  #membersGone(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.#joinersChanged(nowMs)
    else if (this.#state !== 'Empty') this.#rebalance(nowMs)
  }

  /** Some whom a rebalance waited for will not come. */
  #joinersChanged(nowMs: number): void {
    if (this.#state === 'PreparingRebalance' && this.#roster.allJoined) this.#completeJoin(nowMs)
  }

  // Answers and effects

  /** Whoever waited for an assignment has to be heard of again from now on. */
  #refuseSyncs(nowMs: number, errorCode: number): void {
    for (const member of this.#roster.all()) {
      if (member.syncRequest === undefined) continue
      this.#answers.sync(member, syncError(errorCode))
      this.#touch(nowMs, member)
    }
  }

  /** `assignments` are those of the leader; without them the members keep what they have. */
  #persist(
    assignments: ReadonlyMap<string, Buffer> | undefined,
    written: (nowMs: number, errorCode: number) => void,
  ): void {
    this.#isWritten = true
    const value = this.#generation.record(this.#roster, assignments)
    const records = [{ type: 'group', groupId: this.groupId, value } as const]
    this.#effects.push({ type: 'write', records, written })
  }
}
