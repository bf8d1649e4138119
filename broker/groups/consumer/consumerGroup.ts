// One consumer group (KIP-848), as a state machine: heartbeats and the time go in, outcomes and
// effects come out. It reads no clock, sends nothing and writes nothing.
//
//   Empty         nobody is in it
//   Assigning     the group's epoch has moved on; the next heartbeat computes new targets
//   Reconciling   members are on their way to their targets: they give up first, and get afterwards
//   Stable        everyone has what it is to have
//
// Members of the classic protocol can be in it as well, while a group moves from one protocol to the
// other: what they say is in classicMembers.ts.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { consumerProtocolType } from '../../../protocol/kafka/groups.ts'
import type { ClassicGroup } from '../classicGroup.ts'
import type { Group, OffsetsUnused } from '../group.ts'
import type { GroupEffect } from '../groupOutcome.ts'
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
  topicNames,
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
} from './heartbeatRequest.ts'
import { MemberDeadlines } from './memberDeadlines.ts'
import { type Identified, identify, identifyMember } from './memberIdentity.ts'
import { RecordJournal, subjectOf } from './recordJournal.ts'
import type { TopicCatalog } from './topicCatalog.ts'
import { equal, type TopicPartitions } from './topicPartitions.ts'

export interface ConsumerGroupLimits {
  readonly maxSize: number
  /** How many members a group may have that goes back to the classic protocol. */
  readonly classicMaxSize: number
  /** The first is used when no member asks for one. */
  readonly assignors: readonly AssignorName[]
  /** Whether classic groups may become consumer groups while members are in them, and back again. */
  readonly canUpgrade: boolean
  readonly canDowngrade: boolean
  readonly sessionTimeoutMs: (groupId: string) => number
  readonly heartbeatIntervalMs: (groupId: string) => number
}

export interface ConsumerGroupParts {
  readonly limits: ConsumerGroupLimits
  readonly catalog: TopicCatalog
  readonly newMemberId: (prefix: string) => string
  readonly effects: GroupEffect[]
  readonly budget: MemberBudget
  /** A group of the classic protocol with the same id and the same list of effects. */
  readonly newClassicGroup: () => ClassicGroup
}

/** From here on OffsetCommit can say that a member's epoch is stale. */
const memberEpochVersion = 9

export class ConsumerGroup implements Group {
  readonly type = 'consumer'
  readonly protocolType = consumerProtocolType
  readonly groupId: string
  readonly #parts: ConsumerGroupParts
  readonly #state: ConsumerGroupState
  readonly #journal: RecordJournal
  readonly #deadlines = new MemberDeadlines()
  readonly #reconciliation: GroupReconciliation
  readonly #classic: ClassicMembers
  #chargedBytes = 0
  #isDead = false

  /** The members that are in the state already get a whole session to be heard of. */
  constructor(nowMs: number, state: ConsumerGroupState, parts: ConsumerGroupParts) {
    const { catalog, effects, limits, newMemberId } = parts
    this.groupId = state.groupId
    this.#parts = parts
    this.#state = state
    this.#journal = new RecordJournal(effects)
    const { assignors } = limits
    const shared = { state, journal: this.#journal, deadlines: this.#deadlines, catalog }
    this.#reconciliation = new GroupReconciliation({ ...shared, assignors })
    this.#classic = new ClassicMembers({
      ...shared,
      reconciliation: this.#reconciliation,
      effects,
      newMemberId,
      hasRoomFor: (memberId, bytes) => this.#hasRoomFor(memberId, bytes),
      admitted: (thenMs) => this.#downgradeIfClassic(thenMs),
    })
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

  /** The records that made this group what it is, and those that end what it was, are to be written. */
  writeFirst(records: readonly GroupRecord[]): void {
    this.#journal.add(records)
  }

  // Heartbeats

  /** For a request that checkRequest has nothing against. */
  consumerHeartbeat(nowMs: number, requestId: number, request: HeartbeatRequest): void {
    const identified = this.#identify(request)
    if ('errorCode' in identified) {
      this.#answer(requestId, refused(identified))
    } else if (isLeaving(request)) {
      this.#leave(nowMs, requestId, identified.member!, request.memberEpoch)
    } else {
      this.#stay(nowMs, requestId, identified, request)
    }
    this.#settleBudget()
  }

  #identify(request: HeartbeatRequest): Identified | Refusal {
    if (!isLeaving(request) && !this.#hasRoomFor(request.memberId, bytesOfRequest(request))) {
      return groupIsFull(this.#parts.limits.maxSize)
    }
    return identify(this.#state, request)
  }

  #stay(nowMs: number, requestId: number, identified: Identified, request: HeartbeatRequest): void {
    const memberId = request.memberId || this.#parts.newMemberId(request.clientId)
    const { member: known, isReplaced } = identified
    const before =
      known && isReplaced
        ? this.#reconciliation.replace(known, memberId)
        : (known ?? newConsumerMember(memberId))
    const after = this.#reconciliation.advance(nowMs, updated(before, request), request.owned)
    const sessionTimeoutMs = this.#parts.limits.sessionTimeoutMs(this.groupId)
    this.#deadlines.set(memberId, 'session', nowMs + sessionTimeoutMs)
    const isNews = isFull(request) || !equal(before.assigned, after.assigned)
    this.#answerWhenDurable(requestId, {
      memberId,
      memberEpoch: after.memberEpoch,
      heartbeatIntervalMs: this.#parts.limits.heartbeatIntervalMs(this.groupId),
      assignment: isNews ? after.assigned : null,
    })
  }

  #leave(nowMs: number, requestId: number, member: ConsumerGroupMember, memberEpoch: number): void {
    const { memberId } = member
    if (memberEpoch === leaveStaticEpoch) this.#reconciliation.suspend(member, memberEpoch)
    else this.#fence(nowMs, memberId)
    this.#answerWhenDurable(requestId, {
      memberId,
      memberEpoch,
      heartbeatIntervalMs: 0,
      assignment: null,
    })
  }

  /** Whether one more member, or what a member has to say, finds room. */
  #hasRoomFor(memberId: string, bytes: number): boolean {
    const { budget, limits } = this.#parts
    const { members } = this.#state
    return (members.has(memberId) || members.size < limits.maxSize) && budget.hasRoomFor(bytes)
  }

  /** Takes a member out. When only members of the classic protocol are left, the group goes with them. */
  #fence(nowMs: number, memberId: string): void {
    if (!this.#isClassicWithout(memberId)) {
      this.#reconciliation.remove([memberId])
      return
    }
    // Without a new epoch: it is the others' generation, and they are to be asked to join again
    // rather than told that theirs is over.
    this.#reconciliation.forget(memberId)
    this.#becomeClassic(nowMs)
  }

  /** Whether nobody speaks our protocol apart from this member, which does, or from none at all. */
  #isClassicWithout(memberId: string | undefined): boolean {
    const { canDowngrade, classicMaxSize } = this.#parts.limits
    const { members } = this.#state
    const left = members.size - (memberId === undefined ? 0 : 1)
    if (!canDowngrade || left === 0 || left > classicMaxSize) return false
    for (const member of members.values()) {
      if ((member.classic === null) !== (member.memberId === memberId)) return false
    }
    return true
  }

  #becomeClassic(nowMs: number): void {
    const value = classicGroupValue(this.#state, this.#parts.catalog)
    const group = this.#parts.newClassicGroup()
    const { groupId } = this
    this.#isDead = true
    this.#parts.effects.push({ type: 'replaced', group, leftovers: this.tombstones() })
    this.#journal.discard()
    this.#journal.add([{ type: 'group', groupId, value }])
    this.#journal.flush()
    group.restore(nowMs, value, 0)
  }

  #answerWhenDurable(
    requestId: number,
    outcome: Omit<HeartbeatOutcome, 'errorCode' | 'errorMessage'>,
  ): void {
    this.#journal.flush((errorCode) => {
      const isDurable = errorCode === ErrorCode.none
      const message = 'The group could not be written.'
      this.#answer(
        requestId,
        isDurable ? { errorCode, errorMessage: null, ...outcome } : refused({ errorCode, message }),
      )
    })
  }

  #answer(requestId: number, outcome: HeartbeatOutcome): void {
    this.#parts.effects.push({ type: 'heartbeatAnswered', requestId, outcome })
  }

  // Members of the classic protocol

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    this.#classic.join(nowMs, requestId, request)
    this.#settleBudget()
  }

  /**
   * Converts the group when the member that joined is a static instance that was the last member of
   * the consumer protocol. The join itself is not written yet: one batch holds both, since a broker
   * that ended between the two would restore a consumer group that nobody downgrades any more.
   */
  #downgradeIfClassic(nowMs: number): void {
    if (this.#isClassicWithout(undefined)) this.#becomeClassic(nowMs)
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    this.#classic.sync(nowMs, requestId, request)
  }

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    return this.#classic.heartbeat(nowMs, identity, generationId)
  }

  /** An error code for each member. */
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
    const { generationId, apiVersion } = committer
    // A tool, or a consumer without a group: only while nobody consumes.
    if (generationId < 0 && this.isEmpty) return ErrorCode.none
    const member = identifyMember(this.#state, { ...committer, groupInstanceId: null })
    if (typeof member === 'number') return member
    if (member.classic === null && apiVersion < memberEpochVersion) {
      return ErrorCode.unsupportedVersion
    }
    const error = checkCommitEpoch(member, generationId)
    if (error === ErrorCode.none) this.#classic.touch(nowMs, member)
    return error
  }

  admitTransactionalCommit(identity: MemberIdentity, generationId: number): number {
    const { memberId, groupInstanceId } = identity
    const isAnonymous = generationId < 0 && memberId === '' && groupInstanceId === null
    if (isAnonymous || (generationId < 0 && this.isEmpty)) return ErrorCode.none
    const member = identifyMember(this.#state, { memberId, groupInstanceId: null })
    return typeof member === 'number' ? member : checkCommitEpoch(member, generationId)
  }

  admitOffsetFetch(memberId: string | null, memberEpoch: number): number {
    if (memberId === null && memberEpoch < 0) return ErrorCode.none
    const member = this.#state.members.get(memberId ?? '')
    return member ? checkCommitEpoch(member, memberEpoch) : ErrorCode.unknownMemberId
  }

  admitOffsetDelete(): number {
    return ErrorCode.none
  }

  isSubscribedTo(topic: string): boolean {
    for (const member of this.members()) {
      for (const name of this.#state.subscribedTopics(member)) if (name === topic) return true
    }
    return false
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
      if (!this.#isDead) this.#fence(nowMs, memberId)
    }
    if (!this.#isDead) this.#journal.flush()
    this.#settleBudget()
  }

  /** Of what is only on its way to the log as well. */
  tombstones(): readonly GroupRecord[] {
    const bySubject = new Map<string, GroupRecord>()
    for (const record of [...this.#journal.unsettled(), ...this.#state.tombstones()]) {
      bySubject.set(subjectOf(record), { ...record, value: null })
    }
    return [...bySubject.values()]
  }

  /** Nobody waits here: every heartbeat is answered at once, or when what it changed is durable. */
  end(): void {
    this.#isDead = true
    this.#settleBudget()
  }

  #resume(nowMs: number): void {
    for (const { memberId, classic, state, rebalanceTimeoutMs } of this.members()) {
      const sessionTimeoutMs =
        classic?.sessionTimeoutMs ?? this.#parts.limits.sessionTimeoutMs(this.groupId)
      this.#deadlines.set(memberId, 'session', nowMs + sessionTimeoutMs)
      if (state === MemberState.unrevokedPartitions && classic === null) {
        this.#deadlines.set(memberId, 'rebalance', nowMs + rebalanceTimeoutMs)
      }
    }
    this.#settleBudget()
  }

  /** What members say is kept in memory: the budget bounds it for all groups together. */
  #settleBudget(): void {
    const { budget } = this.#parts
    budget.giveBack(this.#chargedBytes)
    this.#chargedBytes = this.#isDead ? 0 : this.#state.memberBytes
    budget.take(this.#chargedBytes)
  }
}

/** A member says what it knows of itself; the rest stays as it was. */
function updated(before: ConsumerGroupMember, request: HeartbeatRequest): ConsumerGroupMember {
  const { subscribedTopicNames } = request
  return {
    ...before,
    instanceId: request.instanceId ?? before.instanceId,
    rackId: request.rackId ?? before.rackId,
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs === -1 ? before.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? before.serverAssignor,
    subscribedTopicNames: subscribedTopicNames
      ? topicNames(subscribedTopicNames)
      : before.subscribedTopicNames,
    subscribedTopicRegex: request.subscribedTopicRegex ?? before.subscribedTopicRegex,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: null,
  }
}

function checkCommitEpoch({ memberEpoch, classic }: ConsumerGroupMember, epoch: number): number {
  if (epoch === memberEpoch) return ErrorCode.none
  return classic === null ? ErrorCode.staleMemberEpoch : ErrorCode.illegalGeneration
}
