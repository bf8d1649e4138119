// A consumer group of the consumer protocol (KIP-848), as a state machine: heartbeats and the time
// go in, `takeEffects` returns answers and writes. Must never read a clock, send or write.
//
//   Empty         the group has no members
//   Assigning     the group epoch has increased; the next heartbeat computes new target assignments
//   Reconciling   members move towards their targets: they revoke partitions, then get others
//   Stable        every member has its target assignment
//
// Contract of the folder: every change is a record, and no answer is returned before the records
// that it depends on are durable. Epochs never decrease, and a partition has at most one owner.

import { consumerProtocolType } from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Group, OffsetsUnused } from '../group.ts'
import type { GroupEffect, GroupStep } from '../groupOutcome.ts'
import type { GroupRecord } from '../groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from '../groupRequests.ts'
import type { MemberBudget } from '../memberBudget.ts'
import type { AssignorName } from './assignor.ts'
import { ClassicMembers } from './classicMembers.ts'
import {
  type ConsumerGroupMember,
  leaveStaticEpoch,
  MemberState,
  newConsumerMember,
} from './consumerGroupMember.ts'
import type { ConsumerGroupState, ConsumerGroupStateName } from './consumerGroupState.ts'
import { classicGroupValue } from './groupConversion.ts'
import { GroupReconciliation } from './groupReconciliation.ts'
import {
  bytesOfRequest,
  groupIsFull,
  type HeartbeatOutcome,
  type HeartbeatRequest,
  isFull,
  isLeaving,
  type Refusal,
  refused,
  updatedBy,
} from './heartbeatRequest.ts'
import { MemberDeadlines } from './memberDeadlines.ts'
import { type Identified, identify } from './memberIdentity.ts'
import { MemberMemory } from './memberMemory.ts'
import { OffsetAdmission } from './offsetAdmission.ts'
import { type JournalWrite, RecordJournal, subjectOf } from './recordJournal.ts'
import type { TopicCatalog } from './topicCatalog.ts'
import { equal, type TopicPartitions } from './topicPartitions.ts'

export interface ConsumerGroupLimits {
  readonly maxSize: number
  /** Maximum number of members of a group that is downgraded to the classic protocol. */
  readonly classicMaxSize: number
  /** The assignors on offer; the first one is the default. */
  readonly assignors: readonly AssignorName[]
  /** Whether classic groups with members may become consumer groups. */
  readonly canUpgrade: boolean
  /** Whether consumer groups with members may become classic groups. */
  readonly canDowngrade: boolean
  readonly sessionTimeoutMs: (groupId: string) => number
  readonly heartbeatIntervalMs: (groupId: string) => number
}

export interface ConsumerGroupDependencies {
  readonly limits: ConsumerGroupLimits
  readonly catalog: TopicCatalog
  readonly newMemberId: (prefix: string) => string
  readonly budget: MemberBudget
}

export class ConsumerGroup implements Group {
  readonly type = 'consumer'
  readonly protocolType = consumerProtocolType
  readonly groupId: string
  readonly #dependencies: ConsumerGroupDependencies
  readonly #state: ConsumerGroupState
  readonly #journal: RecordJournal
  readonly #deadlines = new MemberDeadlines()
  readonly #reconciliation: GroupReconciliation
  readonly #classic: ClassicMembers
  readonly #offsets: OffsetAdmission
  readonly #memory: MemberMemory
  /** One list, shared by all objects of the group, so that effects keep their order. */
  readonly #effects: GroupEffect[] = []
  #isDead = false

  /** The sessions of the members in `state` start anew. */
  constructor(nowMs: number, state: ConsumerGroupState, dependencies: ConsumerGroupDependencies) {
    const { budget, catalog, limits, newMemberId } = dependencies
    this.groupId = state.groupId
    this.#dependencies = dependencies
    this.#state = state
    this.#journal = new RecordJournal(this.#effects)
    const { assignors } = limits
    const shared = { state, journal: this.#journal, deadlines: this.#deadlines, catalog }
    this.#reconciliation = new GroupReconciliation({ ...shared, assignors })
    this.#classic = new ClassicMembers({
      ...shared,
      reconciliation: this.#reconciliation,
      effects: this.#effects,
      newMemberId,
      hasRoomFor: (memberId, bytes) => this.#hasRoomFor(memberId, bytes),
      onAdmitted: () => this.#downgradeIfClassic(),
    })
    this.#offsets = new OffsetAdmission(state)
    this.#memory = new MemberMemory(budget)
    this.#resume(nowMs)
  }

  get state(): ConsumerGroupStateName {
    return this.#isDead ? 'Dead' : this.#state.name
  }

  get groupEpoch(): number {
    return this.#state.groupEpoch
  }

  get assignmentEpoch(): number {
    return this.#state.assignmentEpoch
  }

  get assignorName(): AssignorName {
    return this.#reconciliation.assignorName
  }

  get isEmpty(): boolean {
    return this.#state.members.size === 0
  }

  get isUntouched(): boolean {
    return this.isEmpty && this.#state.groupEpoch === 0
  }

  members(): Iterable<ConsumerGroupMember> {
    return this.#state.members.values()
  }

  target(memberId: string): TopicPartitions {
    return this.#state.target(memberId)
  }

  /** Adds the records of the conversion to this group, to be written before its own. */
  writeFirst(records: readonly GroupRecord[]): void {
    this.#journal.add(records)
  }

  // Heartbeats

  /** Handles a heartbeat that `checkRequest` has accepted. */
  consumerHeartbeat(nowMs: number, requestId: number, request: HeartbeatRequest): void {
    const identified = this.#identify(request)
    if ('errorCode' in identified) {
      this.#answer(requestId, refused(identified))
    } else if (isLeaving(request)) {
      this.#leave(requestId, identified.member!, request.memberEpoch)
    } else {
      this.#stay(nowMs, requestId, identified, request)
    }
    this.#settleBudget()
  }

  #identify(request: HeartbeatRequest): Identified | Refusal {
    if (!isLeaving(request) && !this.#hasRoomFor(request.memberId, bytesOfRequest(request))) {
      return groupIsFull(this.#dependencies.limits.maxSize)
    }
    return identify(this.#state, request)
  }

  #stay(nowMs: number, requestId: number, identified: Identified, request: HeartbeatRequest): void {
    const memberId = request.memberId || this.#dependencies.newMemberId(request.clientId)
    const { member: known, isReplaced } = identified
    const before =
      known && isReplaced
        ? this.#reconciliation.replace(known, memberId)
        : (known ?? newConsumerMember(memberId))
    const after = this.#reconciliation.advance(nowMs, updatedBy(before, request), request.owned)
    const sessionTimeoutMs = this.#dependencies.limits.sessionTimeoutMs(this.groupId)
    this.#deadlines.set(memberId, 'session', nowMs + sessionTimeoutMs)
    const isNews = isFull(request) || !equal(before.assigned, after.assigned)
    this.#answerWhenDurable(requestId, {
      memberId,
      memberEpoch: after.memberEpoch,
      heartbeatIntervalMs: this.#dependencies.limits.heartbeatIntervalMs(this.groupId),
      assignment: isNews ? after.assigned : null,
    })
  }

  #leave(requestId: number, member: ConsumerGroupMember, memberEpoch: number): void {
    const { memberId } = member
    if (memberEpoch === leaveStaticEpoch) this.#reconciliation.suspend(member, memberEpoch)
    else this.#fence(memberId)
    this.#answerWhenDurable(requestId, {
      memberId,
      memberEpoch,
      heartbeatIntervalMs: 0,
      assignment: null,
    })
  }

  /** Whether there is room for a new member, or for the metadata of a known one. */
  #hasRoomFor(memberId: string, bytes: number): boolean {
    const { members } = this.#state
    const hasPlace = members.has(memberId) || members.size < this.#dependencies.limits.maxSize
    return hasPlace && this.#memory.hasRoomFor(bytes)
  }

  /** Removes a member. A group that has only classic members afterwards is downgraded. */
  #fence(memberId: string): void {
    if (!this.#isClassicWithout(memberId)) {
      this.#reconciliation.remove([memberId])
      return
    }
    // No new epoch, because the epoch is the generation of the remaining members: they are to be
    // asked to rejoin, not to be refused with ILLEGAL_GENERATION.
    this.#reconciliation.forget(memberId)
    this.#becomeClassic()
  }

  /** Whether all members, or all but this one, use the classic protocol. */
  #isClassicWithout(memberId: string | undefined): boolean {
    const { canDowngrade, classicMaxSize } = this.#dependencies.limits
    const { members } = this.#state
    const left = members.size - (memberId === undefined ? 0 : 1)
    if (!canDowngrade || left === 0 || left > classicMaxSize) return false
    for (const member of members.values()) {
      if ((member.classic === null) !== (member.memberId === memberId)) return false
    }
    return true
  }

  #becomeClassic(): void {
    const value = classicGroupValue(this.#state, this.#dependencies.catalog)
    const { groupId } = this
    this.#isDead = true
    this.#effects.push({ type: 'downgraded', value, leftovers: this.tombstones() })
    this.#journal.discard()
    this.#journal.add([{ type: 'group', groupId, value }])
    this.#journal.flush()
  }

  #answerWhenDurable(
    requestId: number,
    outcome: Omit<HeartbeatOutcome, 'errorCode' | 'errorMessage'>,
  ): void {
    const durable = { errorCode: ErrorCode.none, errorMessage: null, ...outcome }
    this.#journal.flush({ type: 'heartbeatAnswered', requestId, outcome: durable })
  }

  #answer(requestId: number, outcome: HeartbeatOutcome): void {
    this.#effects.push({ type: 'heartbeatAnswered', requestId, outcome })
  }

  // Effects

  /** Continues after a write of the journal, which is durable or has failed. */
  written(_nowMs: number, step: GroupStep, errorCode: number): void {
    assert(step.type === 'journaled', 'a consumer group writes through its journal')
    this.#journal.written(step.writeId, errorCode === ErrorCode.none)
  }

  /** Whether writes are in flight. Their answers are due even after the group was converted. */
  get owesAnswers(): boolean {
    return this.#journal.inFlight.length > 0
  }

  /** Returns the writes in flight, with the answers that depend on them. */
  pendingWrites(): readonly JournalWrite[] {
    return this.#journal.inFlight
  }

  takeEffects(): GroupEffect[] {
    return this.#effects.splice(0)
  }

  // Members of the classic protocol

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    this.#classic.join(nowMs, requestId, request)
    this.#settleBudget()
  }

  /**
   * Downgrades the group if the member that joined is a static instance that had been the last
   * member of the consumer protocol. The join itself is not written yet: one batch holds both,
   * because a broker that crashed between the two would restore a consumer group that is never
   * downgraded.
   */
  #downgradeIfClassic(): void {
    if (this.#isClassicWithout(undefined)) this.#becomeClassic()
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    this.#classic.sync(nowMs, requestId, request)
  }

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    return this.#classic.heartbeat(nowMs, identity, generationId)
  }

  /** Removes classic members; returns an error code for each. */
  leave(_nowMs: number, members: readonly MemberIdentity[]): number[] {
    const leaving = new Set<string>()
    const codes = members.map((identity) => {
      const member = this.#classic.identifyLeaving(identity)
      if (typeof member === 'number') return member
      leaving.add(member.memberId)
      return ErrorCode.none
    })
    if (leaving.size > 0) this.#reconciliation.remove(leaving)
    this.#journal.flush()
    this.#settleBudget()
    return codes
  }

  // Offsets

  admitCommit(nowMs: number, committer: Committer): number {
    const member = this.#offsets.admitCommit(committer)
    if (typeof member === 'number') return member
    if (member) this.#classic.touch(nowMs, member)
    return ErrorCode.none
  }

  admitTransactionalCommit(identity: MemberIdentity, generationId: number): number {
    return this.#offsets.admitTransactionalCommit(identity, generationId)
  }

  admitOffsetFetch(memberId: string | null, memberEpoch: number): number {
    return this.#offsets.admitFetch(memberId, memberEpoch)
  }

  admitOffsetDelete(): number {
    return ErrorCode.none
  }

  isSubscribedTo(topic: string): boolean {
    return this.#offsets.isSubscribedTo(topic)
  }

  offsetsUnused(): OffsetsUnused {
    return { since: 'commit' }
  }

  // Time

  nextDeadlineMs(): number {
    return this.#isDead ? Number.POSITIVE_INFINITY : this.#deadlines.nextMs()
  }

  tick(nowMs: number): void {
    for (const memberId of this.#deadlines.expired(nowMs)) {
      if (!this.#isDead) this.#fence(memberId)
    }
    if (!this.#isDead) this.#journal.flush()
    this.#settleBudget()
  }

  /** Returns the tombstones of all records of the group, including records still in flight. */
  tombstones(): readonly GroupRecord[] {
    const bySubject = new Map<string, GroupRecord>()
    for (const record of [...this.#journal.unsettled(), ...this.#state.tombstones()]) {
      bySubject.set(subjectOf(record), { ...record, value: null })
    }
    return [...bySubject.values()]
  }

  /**
   * Ends the group. No request is pending here: a heartbeat is answered at once, or by the journal
   * when its records are durable.
   */
  end(): void {
    this.#isDead = true
    this.#settleBudget()
  }

  #resume(nowMs: number): void {
    for (const { memberId, classic, state, rebalanceTimeoutMs } of this.members()) {
      const sessionTimeoutMs =
        classic?.sessionTimeoutMs ?? this.#dependencies.limits.sessionTimeoutMs(this.groupId)
      this.#deadlines.set(memberId, 'session', nowMs + sessionTimeoutMs)
      if (state === MemberState.unrevokedPartitions && classic === null) {
        this.#deadlines.set(memberId, 'rebalance', nowMs + rebalanceTimeoutMs)
      }
    }
    this.#settleBudget()
  }

  #settleBudget(): void {
    this.#memory.set(this.#isDead ? 0 : this.#state.memberBytes)
  }
}
