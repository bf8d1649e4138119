// The rebalance of a classic group, from one generation to the next: tracks which members must
// join, how long the coordinator waits for them, their generation, and the leader's assignment. The
// state of the group changes only here: joinPhase.ts admits members, offsetAdmission.ts only reads.
// Invariants: a member is never answered with a generation that it has not joined, generation ids
// never decrease except when they wrap around, and no member is answered with an assignment before
// it is durable.
//
//   Empty -> PreparingRebalance               a member joined; the others have to rejoin
//   PreparingRebalance -> CompletingRebalance all joined, or the wait timed out: a new generation
//   CompletingRebalance -> Stable             the leader's assignment is durable
//   any -> PreparingRebalance                 a member joined, left, changed or timed out

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { GroupLimits } from '../group.ts'
import { type GroupStep, joinError, noAssignment, syncError } from '../groupOutcome.ts'
import type { GroupMetadataValue } from '../groupRecords.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from '../groupRequests.ts'
import type { MemberBudget } from '../memberBudget.ts'
import { Generation } from './generation.ts'
import { assign, type GroupMember, metadataFor, restoredMember } from './groupMember.ts'
import type { GroupOutbox } from './groupOutbox.ts'
import { JoinWait } from './joinWait.ts'
import { MemberRoster } from './memberRoster.ts'
import { subscribedTopics } from './subscribedTopics.ts'
import { SyncRound } from './syncRound.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/**
 * Bounds the wait for a new member: without it, a client that has died would delay its group
 * forever.
 */
const newMemberJoinTimeoutMs = 5 * 60_000

/** The state of a rebalance as the other parts of the group may read it. */
export interface RebalanceView {
  readonly state: GroupState
  /**
   * When the group entered its state, in monotonic ms; undefined when the restored record lacks it.
   */
  readonly stateSinceMs: number | undefined
  readonly protocolType: string | null
  readonly generation: Generation
  /** Topics that the generation's members consume; undefined when they cannot be known. */
  readonly subscribedTopics: ReadonlySet<string> | undefined
  /** Returns 0 when the identity is a member of this generation; otherwise an error code. */
  authenticate(identity: MemberIdentity, generationId: number): number
}

export class Rebalance implements RebalanceView {
  readonly roster: MemberRoster
  readonly #groupId: string
  readonly #limits: GroupLimits
  readonly #outbox: GroupOutbox
  /** The wait of PreparingRebalance. */
  readonly #joinWait = new JoinWait()
  /** The wait of CompletingRebalance. */
  readonly #syncRound = new SyncRound()
  #state: GroupState = 'Empty'
  #stateSinceMs: number | undefined
  /** Whether the log has, or may have, a record of this group. */
  #isWritten = false
  /** Protocol type of the joining members; the next generation inherits it. */
  #protocolType: string | null = null
  #generation = new Generation(0, null, null)
  #subscribedTopics: ReadonlySet<string> | undefined

  constructor(groupId: string, limits: GroupLimits, outbox: GroupOutbox, budget: MemberBudget) {
    this.#groupId = groupId
    this.#limits = limits
    this.#outbox = outbox
    this.roster = new MemberRoster(budget)
  }

  get state(): GroupState {
    return this.#state
  }

  get stateSinceMs(): number | undefined {
    return this.#stateSinceMs
  }

  get isWritten(): boolean {
    return this.#isWritten
  }

  get protocolType(): string | null {
    return this.#protocolType
  }

  get generation(): Generation {
    return this.#generation
  }

  get subscribedTopics(): ReadonlySet<string> | undefined {
    return this.#subscribedTopics
  }

  /**
   * Restores the group from its record, which was written `ageMs` ago (undefined when not known).
   * The session of every member starts anew.
   */
  restore(nowMs: number, value: GroupMetadataValue, ageMs: number | undefined): void {
    this.#isWritten = true
    this.#protocolType = value.protocolType === '' ? null : value.protocolType
    this.#generation = new Generation(value.generation, this.#protocolType, value.protocol)
    for (const stored of value.members) {
      this.roster.add(restoredMember(stored, value.protocol, nowMs))
    }
    this.roster.leader = value.leader
    this.#state = this.roster.size > 0 ? 'Stable' : 'Empty'
    this.#stateSinceMs = ageMs === undefined ? undefined : nowMs - ageMs
    this.#noteSubscriptions()
    // The maximum size may have been lowered: the members that rejoin first stay. A record without
    // a leader was written by a downgrade from a consumer group, whose partitions nobody has
    // assigned among these members yet.
    const isTooLarge = this.roster.size > this.#limits.maxSize
    if (isTooLarge || (this.roster.size > 0 && value.leader === null)) this.begin(nowMs)
  }

  // Members

  /** Adds a new member, whose request waits for the next generation. */
  add(nowMs: number, member: GroupMember, request: JoinRequest, requestId: number): void {
    if (this.roster.size === 0) this.#protocolType = request.protocolType
    this.roster.add(member)
    this.#joinWait.memberAdded()
    this.#awaitJoin(nowMs, member, requestId)
    this.begin(nowMs)
  }

  /** Updates a known member that rejoins; its request waits for the next generation. */
  rejoin(nowMs: number, member: GroupMember, request: JoinRequest, requestId: number): void {
    this.roster.update(member, request)
    this.#awaitJoin(nowMs, member, requestId)
    this.begin(nowMs)
  }

  /**
   * Replaces a static member that returned under a new member id (KIP-345). A stable group stays in
   * its generation when the replacement changes nothing for the other members.
   */
  replace(
    nowMs: number,
    old: GroupMember,
    member: GroupMember,
    requestId: number,
    supportsSkipping: boolean,
  ): void {
    const previousLeader = this.roster.leader ?? ''
    // A request that is pending under the former member id must not be answered with success.
    this.#outbox.refuse(old, ErrorCode.fencedInstanceId)
    this.roster.replace(old, member)
    this.#syncRound.settle(old.memberId)
    this.#awaitJoin(nowMs, member, requestId)
    const isUnchanged =
      this.#state === 'Stable' && this.roster.selectProtocol() === this.#generation.protocolName
    if (!isUnchanged) {
      this.begin(nowMs)
      return
    }
    // Answered once the new member id is durable: after a crash, the former id would fence the
    // member.
    const { memberId } = member
    this.#persist(undefined, {
      ...{ type: 'staticMemberReturned', memberId, requestId, previousLeader, supportsSkipping },
    })
  }

  /** Removes a member. The caller must call `membersGone` afterwards. */
  dismiss(member: GroupMember): void {
    this.#outbox.refuse(member, ErrorCode.unknownMemberId)
    this.#syncRound.settle(member.memberId)
    this.roster.remove(member)
  }

  /** Rebalances after members were removed, so that the others share their partitions. */
  membersGone(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.joinersChanged(nowMs)
    else if (this.#state !== 'Empty') this.begin(nowMs)
  }

  /**
   * Completes the join phase if every member has joined, after one that it waited for left or timed
   * out.
   */
  joinersChanged(nowMs: number): void {
    if (this.#state === 'PreparingRebalance' && this.roster.allJoined) this.#completeJoin(nowMs)
  }

  authenticate(identity: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const error = this.roster.identify(identity)
    if (error !== ErrorCode.none) return error
    return generationId === this.#generation.id ? ErrorCode.none : ErrorCode.illegalGeneration
  }

  /** Renews the session of a member that sent a request, unless the member waits for an answer. */
  touch(nowMs: number, member: GroupMember): void {
    if (member.joinRequest !== undefined || member.syncRequest !== undefined) return
    member.sessionDeadlineMs = nowMs + member.sessionTimeoutMs
  }

  /**
   * Ends the group: pending requests are answered with the error, and no member can join any more.
   */
  end(errorCode: number): void {
    this.#state = 'Dead'
    for (const member of this.roster.all()) this.#outbox.refuse(member, errorCode)
    this.roster.clear()
  }

  // Joining

  /**
   * Begins a rebalance: asks every member to rejoin. During one, checks whether all members have
   * joined.
   */
  begin(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') {
      if (!this.#joinWait.isInitial && this.roster.allJoined) this.#completeJoin(nowMs)
      return
    }
    if (this.#state === 'CompletingRebalance') {
      this.#refuseSyncs(nowMs, ErrorCode.rebalanceInProgress)
    }
    const wasEmpty = this.#state === 'Empty'
    this.#enter(nowMs, 'PreparingRebalance')
    this.#syncRound.end()
    const timeoutMs = this.roster.longestRebalanceTimeoutMs
    const delayMs = this.#limits.initialRebalanceDelayMs
    if (wasEmpty && delayMs > 0) this.#joinWait.beginInitial(nowMs, delayMs, timeoutMs)
    else if (wasEmpty || this.roster.allJoined) this.#completeJoin(nowMs)
    else this.#joinWait.begin(nowMs, timeoutMs)
  }

  #awaitJoin(nowMs: number, member: GroupMember, requestId: number): void {
    // The member repeats its JoinGroup on a new connection: the answer to the former request is not
    // read.
    this.#outbox.join(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    member.joinRequest = requestId
    member.sessionDeadlineMs = member.isNew
      ? nowMs + newMemberJoinTimeoutMs
      : Number.POSITIVE_INFINITY
  }

  /** Begins the next generation with the members that have joined. */
  #completeJoin(nowMs: number): void {
    assert(
      this.#state === 'PreparingRebalance',
      'the join phase completes only in PreparingRebalance',
    )
    this.#joinWait.end()
    for (const member of [...this.roster.all()]) {
      // Static members keep their places until their sessions expire (KIP-345).
      if (member.joinRequest === undefined && member.groupInstanceId === null) {
        this.roster.remove(member)
      }
    }
    if (this.roster.size > 0 && !this.roster.electJoinedLeader()) {
      this.#joinWait.begin(nowMs, this.roster.longestRebalanceTimeoutMs)
      return
    }
    this.#generation = this.#generation.next(this.#protocolType, this.roster)
    this.#noteSubscriptions()
    if (this.roster.size === 0) {
      this.#enter(nowMs, 'Empty')
      // Without this record, a restart would restore the former members and wait for them to time
      // out.
      this.#persist(undefined, { type: 'emptied' })
      return
    }
    this.#enter(nowMs, 'CompletingRebalance')
    const members = [...this.roster.all()]
    const memberIds = members.map(({ memberId }) => memberId)
    this.#syncRound.begin(nowMs + this.roster.longestRebalanceTimeoutMs, memberIds)
    for (const member of members) this.#announceGeneration(nowMs, member)
  }

  #announceGeneration(nowMs: number, member: GroupMember): void {
    const leads = member.memberId === this.roster.leader
    this.#outbox.join(member, this.#generation.joinOutcome(member, this.roster, leads))
    this.touch(nowMs, member)
    member.isNew = false
  }

  // Syncing

  /**
   * Handles the SyncGroup of a member of this generation, which asks for its assignment. The
   * SyncGroup of the leader carries the assignments of all members.
   */
  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const member = this.roster.get(request.memberId)
    assert(member, 'only members of the group send SyncGroup')
    this.#syncRound.settle(member.memberId)
    if (this.#state === 'Stable') {
      this.touch(nowMs, member)
      member.formerAssignment = noAssignment
      this.#outbox.synced(requestId, this.#generation.syncOutcome(member))
      return
    }
    assert(
      this.#state === 'CompletingRebalance',
      'SyncGroup is pending only in CompletingRebalance',
    )
    this.#outbox.sync(member, syncError(ErrorCode.unknownMemberId))
    member.syncRequest = requestId
    member.sessionDeadlineMs = Number.POSITIVE_INFINITY
    if (member.memberId !== this.roster.leader || this.#syncRound.assignments) return
    this.#syncRound.accept(request.assignments)
    const { id: generationId } = this.#generation
    this.#persist(this.#syncRound.assignments, { type: 'assigned', generationId })
  }

  /** Refuses every pending SyncGroup. The sessions of these members start anew. */
  #refuseSyncs(nowMs: number, errorCode: number): void {
    for (const member of this.roster.all()) {
      if (member.syncRequest === undefined) continue
      this.#outbox.sync(member, syncError(errorCode))
      this.touch(nowMs, member)
    }
  }

  // Writes

  /** Continues after the write with this step, which is durable (0) or has failed. */
  written(nowMs: number, step: GroupStep, errorCode: number): void {
    if (step.type === 'assigned') this.#assigned(nowMs, step.generationId, errorCode)
    else if (step.type === 'staticMemberReturned') this.#returned(nowMs, step, errorCode)
  }

  #assigned(nowMs: number, generationId: number, errorCode: number): void {
    const isCurrent = this.#state === 'CompletingRebalance' && generationId === this.#generation.id
    const assignments = isCurrent ? this.#syncRound.takeAssignments() : undefined
    if (!assignments) return
    if (errorCode !== ErrorCode.none) {
      this.#refuseSyncs(nowMs, errorCode)
      this.begin(nowMs)
      return
    }
    this.#enter(nowMs, 'Stable')
    for (const member of this.roster.all()) {
      assign(member, assignments.get(member.memberId) ?? noAssignment)
      if (member.syncRequest === undefined) continue
      member.formerAssignment = noAssignment
      this.#outbox.sync(member, this.#generation.syncOutcome(member))
      this.touch(nowMs, member)
    }
  }

  #returned(
    nowMs: number,
    {
      memberId,
      requestId,
      previousLeader,
      supportsSkipping,
    }: Extract<GroupStep, { type: 'staticMemberReturned' }>,
    errorCode: number,
  ): void {
    const member = this.roster.get(memberId)
    // If a rebalance has begun meanwhile, that rebalance answers the request.
    if (this.#state !== 'Stable' || member?.joinRequest !== requestId) return
    const outcome =
      errorCode === ErrorCode.none
        ? this.#generation.returnOutcome(member, this.roster, previousLeader, supportsSkipping)
        : joinError(errorCode, '')
    this.#outbox.join(member, outcome)
    this.touch(nowMs, member)
  }

  /** Writes the group's record. Without `assignments`, members keep the ones that they have. */
  #persist(assignments: ReadonlyMap<string, Buffer> | undefined, step: GroupStep): void {
    this.#isWritten = true
    const value = this.#generation.record(this.roster, assignments)
    this.#outbox.write([{ type: 'group', groupId: this.#groupId, value }], step)
  }

  // Time

  /** Returns when `tick` is due; Infinity for never. */
  nextDeadlineMs(): number {
    return Math.min(this.#joinWait.deadlineMs, this.#syncRound.deadlineMs)
  }

  tick(nowMs: number): void {
    if (this.#joinWait.deadlineMs <= nowMs) {
      const isExtended = this.#joinWait.extend(nowMs, this.#limits.initialRebalanceDelayMs)
      if (!isExtended) this.#completeJoin(nowMs)
    }
    if (this.#syncRound.deadlineMs <= nowMs) this.#expireSyncs(nowMs)
  }

  /** Removes members that have not sent SyncGroup in time. */
  #expireSyncs(nowMs: number): void {
    const missing = this.#syncRound.expire()
    for (const memberId of missing) {
      const member = this.roster.get(memberId)
      if (member) this.dismiss(member)
    }
    if (missing.length > 0) this.begin(nowMs)
  }

  #enter(nowMs: number, state: GroupState): void {
    this.#state = state
    this.#stateSinceMs = nowMs
  }

  #noteSubscriptions(): void {
    const { protocolName } = this.#generation
    const subscriptions = [...this.roster.all()].map((each) => metadataFor(each, protocolName))
    this.#subscribedTopics = subscribedTopics(this.#protocolType, subscriptions)
  }
}
