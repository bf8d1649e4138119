// The rebalance of a classic group, from one generation to the next: tracks which members must
// join, how long the coordinator waits for them, their generation, and the leader's assignment. Its
// state changes here and nowhere else; joinPhase.ts decides who is let in, offsetAdmission.ts only
// reads. Invariants: a member is never answered with a generation that it has not joined,
// generations never go back, and no member is answered with an assignment before it is durable.
//
//   Empty -> PreparingRebalance   a member joined; the others have to join (again)
//   PreparingRebalance -> CompletingRebalance   all joined, or the time is up: a new generation
//   CompletingRebalance -> Stable   the leader's assignment is durable
//   any -> PreparingRebalance   a member came, left, changed, or timed out

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

/** A new member whose client is gone would otherwise delay its group without end. */
const newMemberJoinTimeoutMs = 5 * 60_000

/** What the rest of the group may read. */
export interface RebalanceView {
  readonly state: GroupState
  /** Undefined when the stored group does not say. */
  readonly stateSinceMs: number | undefined
  readonly protocolType: string | null
  readonly generation: Generation
  /** Topics of the generation's members; undefined where they cannot be known. */
  readonly subscribedTopics: ReadonlySet<string> | undefined
  /** Whether the identity is that of a member of this generation: 0, or an error code. */
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
  /** The log has, or may have, a record of this group. */
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
   * Takes over what was stored `ageMs` ago (undefined when that is not known). The session of every
   * member starts anew.
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
    // The maximum size may have been lowered: members that join again in time stay. Without a
    // leader, the group was a consumer group before, and nobody has assigned the partitions among
    // these members.
    const isTooLarge = this.roster.size > this.#limits.maxSize
    if (isTooLarge || (this.roster.size > 0 && value.leader === null)) this.begin(nowMs)
  }

  // Members

  /** A new member joins; it waits with this request for the next generation. */
  add(nowMs: number, member: GroupMember, request: JoinRequest, requestId: number): void {
    if (this.roster.size === 0) this.#protocolType = request.protocolType
    this.roster.add(member)
    this.#joinWait.memberAdded()
    this.#awaitJoin(nowMs, member, requestId)
    this.begin(nowMs)
  }

  /** A member joins again; it waits with this request for the next generation. */
  rejoin(nowMs: number, member: GroupMember, request: JoinRequest, requestId: number): void {
    this.roster.update(member, request)
    this.#awaitJoin(nowMs, member, requestId)
    this.begin(nowMs)
  }

  /**
   * A static member came back under a new member id and takes the place of its former self
   * (KIP-345). A stable group goes on in its generation when that changes nothing for the others.
   */
  replace(
    nowMs: number,
    old: GroupMember,
    member: GroupMember,
    requestId: number,
    supportsSkipping: boolean,
  ): void {
    const previousLeader = this.roster.leader ?? ''
    // A request that waits under the former member id must not go on.
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
    // Answered once the new member id is durable: after a crash, the former one would fence it.
    const { memberId } = member
    this.#persist(undefined, {
      ...{ type: 'staticMemberReturned', memberId, requestId, previousLeader, supportsSkipping },
    })
  }

  /** Removes a member; `membersGone` has to follow. */
  dismiss(member: GroupMember): void {
    this.#outbox.refuse(member, ErrorCode.unknownMemberId)
    this.#syncRound.settle(member.memberId)
    this.roster.remove(member)
  }

  /** Members were dismissed: the others share their partitions. */
  membersGone(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.joinersChanged(nowMs)
    else if (this.#state !== 'Empty') this.begin(nowMs)
  }

  /** A member that the rebalance was waiting for left or timed out. */
  joinersChanged(nowMs: number): void {
    if (this.#state === 'PreparingRebalance' && this.roster.allJoined) this.#completeJoin(nowMs)
  }

  authenticate(identity: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const error = this.roster.identify(identity)
    if (error !== ErrorCode.none) return error
    return generationId === this.#generation.id ? ErrorCode.none : ErrorCode.illegalGeneration
  }

  /** Renews the session of a member that was heard from, unless the member waits for an answer. */
  touch(nowMs: number, member: GroupMember): void {
    if (member.joinRequest !== undefined || member.syncRequest !== undefined) return
    member.sessionDeadlineMs = nowMs + member.sessionTimeoutMs
  }

  /** Ends the group: requests that wait are answered with this error, and nobody joins any more. */
  end(errorCode: number): void {
    this.#state = 'Dead'
    for (const member of this.roster.all()) this.#outbox.refuse(member, errorCode)
    this.roster.clear()
  }

  // Joining

  /** Asks every member to join; when that is under way already, checks whether all have. */
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
    // The same member on a new connection: nobody reads the answer to its former request any more.
    this.#outbox.join(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    member.joinRequest = requestId
    member.sessionDeadlineMs = member.isNew
      ? nowMs + newMemberJoinTimeoutMs
      : Number.POSITIVE_INFINITY
  }

  /** Starts the next generation with the members that have joined. */
  #completeJoin(nowMs: number): void {
    assert(this.#state === 'PreparingRebalance', 'joins complete while preparing a rebalance')
    this.#joinWait.end()
    for (const member of [...this.roster.all()]) {
      // Static members keep their place until their session ends (KIP-345).
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
      // Without this record, the former members would be restored after a crash, and time out.
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
   * A member of this generation asks for its assignment; the leader brings the assignments of all.
   */
  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const member = this.roster.get(request.memberId)
    assert(member, 'only members sync')
    this.#syncRound.settle(member.memberId)
    if (this.#state === 'Stable') {
      this.touch(nowMs, member)
      member.formerAssignment = noAssignment
      this.#outbox.synced(requestId, this.#generation.syncOutcome(member))
      return
    }
    assert(this.#state === 'CompletingRebalance', 'members sync after a generation has begun')
    this.#outbox.sync(member, syncError(ErrorCode.unknownMemberId))
    member.syncRequest = requestId
    member.sessionDeadlineMs = Number.POSITIVE_INFINITY
    if (member.memberId !== this.roster.leader || this.#syncRound.assignments) return
    this.#syncRound.accept(request.assignments)
    const { id: generationId } = this.#generation
    this.#persist(this.#syncRound.assignments, { type: 'assigned', generationId })
  }

  /** Members that waited for an assignment start their sessions anew. */
  #refuseSyncs(nowMs: number, errorCode: number): void {
    for (const member of this.roster.all()) {
      if (member.syncRequest === undefined) continue
      this.#outbox.sync(member, syncError(errorCode))
      this.touch(nowMs, member)
    }
  }

  // Writes

  /** The write with this step is durable (0), or has failed. */
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
    // A rebalance that has begun meanwhile answers the request.
    if (this.#state !== 'Stable' || member?.joinRequest !== requestId) return
    const outcome =
      errorCode === ErrorCode.none
        ? this.#generation.returnOutcome(member, this.roster, previousLeader, supportsSkipping)
        : joinError(errorCode, '')
    this.#outbox.join(member, outcome)
    this.touch(nowMs, member)
  }

  /** `assignments` are those of the leader; without them, members keep what they have. */
  #persist(assignments: ReadonlyMap<string, Buffer> | undefined, step: GroupStep): void {
    this.#isWritten = true
    const value = this.#generation.record(this.roster, assignments)
    this.#outbox.write([{ type: 'group', groupId: this.#groupId, value }], step)
  }

  // Time

  /** When `tick` is due; Infinity for never. */
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

  /** Members that have not asked for their assignment in time are removed. */
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
