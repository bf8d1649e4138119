// How a classic group gets from one generation to the next: who has to join, until when that is waited
// for, and what is told then. What members ask for is in joinPhase.ts and syncPhase.ts; this is what
// they change together. A member is never told of a generation that it has not joined.
//
//   Empty -> PreparingRebalance   a member joined; the others have to join (again)
//   PreparingRebalance -> CompletingRebalance   all did, or time is up: a new generation
//   CompletingRebalance -> Stable   the leader's assignment is durable
//   any -> PreparingRebalance   somebody came, left, changed, or was not heard of

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { Generation } from './generation.ts'
import type { GroupLimits } from './group.ts'
import { type GroupMember, metadataFor, restoredMember } from './groupMember.ts'
import { type GroupEffect, joinError, syncError } from './groupOutcome.ts'
import type { GroupMetadataValue } from './groupRecords.ts'
import type { MemberIdentity } from './groupRequests.ts'
import { JoinWait } from './joinWait.ts'
import { MemberAnswers } from './memberAnswers.ts'
import type { MemberBudget } from './memberBudget.ts'
import { MemberRoster } from './memberRoster.ts'
import { subscribedTopics } from './subscribedTopics.ts'
import { SyncRound } from './syncRound.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** A new member whose client has gone would otherwise hold up its group for ever. */
const newMemberJoinTimeoutMs = 5 * 60_000

export class Rebalance {
  readonly roster: MemberRoster
  readonly answers: MemberAnswers
  readonly joinWait = new JoinWait()
  readonly syncRound = new SyncRound()
  /** Of those who are joining; the generation takes it over. */
  protocolType: string | null = null
  readonly #groupId: string
  readonly #limits: GroupLimits
  readonly #effects: GroupEffect[]
  #state: GroupState = 'Empty'
  /** Undefined when the stored group does not say. */
  #stateSinceMs: number | undefined
  /** The log has, or may have, a record of this group. */
  #isWritten = false
  /** Of the generation's members; undefined where it cannot be known. */
  #subscribedTopics: ReadonlySet<string> | undefined
  #generation = new Generation(0, null, null)

  constructor(groupId: string, limits: GroupLimits, effects: GroupEffect[], budget: MemberBudget) {
    this.#groupId = groupId
    this.#limits = limits
    this.#effects = effects
    this.roster = new MemberRoster(budget)
    this.answers = new MemberAnswers(effects)
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

  get subscribedTopics(): ReadonlySet<string> | undefined {
    return this.#subscribedTopics
  }

  get generation(): Generation {
    return this.#generation
  }

  /**
   * Takes over what was stored `ageMs` ago (undefined when that is not known); every member gets a
   * whole session to be heard of again.
   */
  restore(nowMs: number, value: GroupMetadataValue, ageMs: number | undefined): void {
    this.#isWritten = true
    this.protocolType = value.protocolType === '' ? null : value.protocolType
    this.#generation = new Generation(value.generation, this.protocolType, value.protocol)
    for (const stored of value.members) {
      this.roster.add(restoredMember(stored, value.protocol, nowMs))
    }
    this.roster.leader = value.leader
    this.#state = this.roster.size > 0 ? 'Stable' : 'Empty'
    this.#stateSinceMs = ageMs === undefined ? undefined : nowMs - ageMs
    this.#noteSubscriptions()
    // The bound may have been lowered: those who join again in time stay. Without a leader, nobody has
    // shared the partitions out among these members: the group was of KIP-848 before.
    const isTooLarge = this.roster.size > this.#limits.maxSize
    if (isTooLarge || (this.roster.size > 0 && value.leader === null)) this.begin(nowMs)
  }

  /** Asks everyone to join, or, when that is under way, looks whether all have. */
  begin(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') {
      if (!this.joinWait.isInitial && this.roster.allJoined) this.completeJoin(nowMs)
      return
    }
    if (this.#state === 'CompletingRebalance') {
      this.refuseSyncs(nowMs, ErrorCode.rebalanceInProgress)
    }
    const wasEmpty = this.#state === 'Empty'
    this.enter(nowMs, 'PreparingRebalance')
    this.syncRound.end()
    const timeoutMs = this.roster.longestRebalanceTimeoutMs
    const delayMs = this.#limits.initialRebalanceDelayMs
    if (wasEmpty && delayMs > 0) this.joinWait.beginInitial(nowMs, delayMs, timeoutMs)
    else if (wasEmpty || this.roster.allJoined) this.completeJoin(nowMs)
    else this.joinWait.begin(nowMs, timeoutMs)
  }

  /** The member waits with this request for the next generation. */

  awaitJoin(nowMs: number, member: GroupMember, requestId: number): void {
    // The same member on a new connection: the former request has no reader any more.
    this.answers.join(member, joinError(ErrorCode.unknownMemberId, member.memberId))
    member.joinRequest = requestId
    member.sessionDeadlineMs = member.isNew
      ? nowMs + newMemberJoinTimeoutMs
      : Number.POSITIVE_INFINITY
  }

  /** Some whom a rebalance waited for will not come. */
  joinersChanged(nowMs: number): void {
    if (this.#state === 'PreparingRebalance' && this.roster.allJoined) this.completeJoin(nowMs)
  }

  /** Starts the next generation with those who have joined. */
  completeJoin(nowMs: number): void {
    assert(this.#state === 'PreparingRebalance', 'joins complete while preparing a rebalance')
    this.joinWait.end()
    for (const member of [...this.roster.all()]) {
      // Static members keep their place until their session ends (KIP-345).
      if (member.joinRequest === undefined && member.groupInstanceId === null) {
        this.roster.remove(member)
      }
    }
    if (this.roster.size > 0 && !this.roster.electJoinedLeader()) {
      this.joinWait.begin(nowMs, this.roster.longestRebalanceTimeoutMs)
      return
    }
    this.#generation = this.#generation.next(this.protocolType, this.roster)
    this.#noteSubscriptions()
    if (this.roster.size === 0) {
      this.enter(nowMs, 'Empty')
      // Not waited for: without it, those of before seem to be there after a crash, and time out.
      this.persist(undefined, () => {})
      return
    }
    this.enter(nowMs, 'CompletingRebalance')
    const members = [...this.roster.all()]
    const memberIds = members.map(({ memberId }) => memberId)
    this.syncRound.begin(nowMs + this.roster.longestRebalanceTimeoutMs, memberIds)
    for (const member of members) this.#announceGeneration(nowMs, member)
  }

  #announceGeneration(nowMs: number, member: GroupMember): void {
    this.answers.join(
      member,
      this.#generation.joinOutcome(member, this.roster, member.memberId === this.roster.leader),
    )
    this.touch(nowMs, member)
    member.isNew = false
  }

  enter(nowMs: number, state: GroupState): void {
    this.#state = state
    this.#stateSinceMs = nowMs
  }

  /** Takes a member out; `membersGone` is to follow. */

  dismiss(member: GroupMember): void {
    this.answers.refuse(member, ErrorCode.unknownMemberId)
    this.syncRound.settle(member.memberId)
    this.roster.remove(member)
  }

  /** Members have been dismissed: the others share what was theirs. */
  membersGone(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.joinersChanged(nowMs)
    else if (this.#state !== 'Empty') this.begin(nowMs)
  }

  /** Whether it is a member, and of this generation. */

  authenticate(identity: MemberIdentity, generationId: number): number {
    if (this.#state === 'Dead') return ErrorCode.coordinatorNotAvailable
    const error = this.roster.identify(identity)
    if (error !== ErrorCode.none) return error
    return generationId === this.#generation.id ? ErrorCode.none : ErrorCode.illegalGeneration
  }

  /** The member has been heard of. */
  touch(nowMs: number, member: GroupMember): void {
    if (member.joinRequest !== undefined || member.syncRequest !== undefined) return
    member.sessionDeadlineMs = nowMs + member.sessionTimeoutMs
  }

  /** Whoever waited for an assignment has to be heard of again from now on. */
  refuseSyncs(nowMs: number, errorCode: number): void {
    for (const member of this.roster.all()) {
      if (member.syncRequest === undefined) continue
      this.answers.sync(member, syncError(errorCode))
      this.touch(nowMs, member)
    }
  }

  /** `assignments` are those of the leader; without them the members keep what they have. */
  persist(
    assignments: ReadonlyMap<string, Buffer> | undefined,
    written: (nowMs: number, errorCode: number) => void,
  ): void {
    this.#isWritten = true
    const value = this.#generation.record(this.roster, assignments)
    const records = [{ type: 'group', groupId: this.#groupId, value } as const]
    this.#effects.push({ type: 'write', records, written })
  }

  #noteSubscriptions(): void {
    const { protocolName } = this.#generation
    const subscriptions = [...this.roster.all()].map((each) => metadataFor(each, protocolName))
    this.#subscribedTopics = subscribedTopics(this.protocolType, subscriptions)
  }

  /** Whoever waits is sent away with this error, and nobody is let in any more. */
  end(errorCode: number): void {
    this.#state = 'Dead'
    for (const member of this.roster.all()) this.answers.refuse(member, errorCode)
    this.roster.clear()
  }
}
