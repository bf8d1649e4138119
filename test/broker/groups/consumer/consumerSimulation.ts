// Simulated members of one consumer group around a coordinator, without clocks, logs or sockets:
// the test chooses every action, which answers are lost, and when an append completes. Checks after
// every step that no partition has two owners. Some members may use the classic protocol.

import { expect } from 'vitest'
import type {
  HeartbeatOutcome,
  HeartbeatRequest,
} from '../../../../broker/groups/consumer/heartbeatRequest.ts'
import {
  equal,
  filterPartitions,
  hasPartition,
  isSubset,
  overlaps,
  type TopicPartitions,
  toList,
  union,
} from '../../../../broker/groups/consumer/topicPartitions.ts'
import { GroupCoordinator, type GroupEvent } from '../../../../broker/groups/groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from '../../../../broker/groups/groupOutcome.ts'
import type { CoordinatorEffect } from '../../../../broker/groups/groupRegistry.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { consumerLimits, generousLimits } from '../groupSimulation.ts'
import { MemoryCatalog } from '../memoryCatalog.ts'
import { SimulatedLog } from '../simulatedLog.ts'
import { type ClassicConsumer, ClassicConsumers, type FormerSelf } from './classicConsumers.ts'

export const groupId = 'g'
export const sessionTimeoutMs = 45_000
const nothing: TopicPartitions = new Map()

export class SimulatedMember {
  readonly name: string
  readonly instanceId: string | null
  readonly former: FormerSelf[] = []
  memberId: string
  epoch = 0
  topics: readonly string[]
  regex: string | null
  /** Number of changes of its subscription. */
  revision = 0
  /** The partitions that it consumes. */
  owned: TopicPartitions = nothing
  /** The last assignment that it was sent. */
  lastAssignment: TopicPartitions = nothing
  /** The partitions that it last reported. */
  reported: TopicPartitions = nothing
  /** Its last request was not answered, so that its next heartbeat is a full one. */
  isUnsure = true
  /** When it sent the last request that was answered. */
  heardMs = 0
  #lives = 1

  constructor(name: string, topics: readonly string[], regex: string | null, isStatic: boolean) {
    this.name = name
    this.memberId = name
    this.topics = topics
    this.regex = regex
    this.instanceId = isStatic ? `i-${name}` : null
  }

  subscribe(topics: readonly string[], regex: string | null): void {
    this.topics = topics
    this.regex = regex
    this.revision++
    this.isUnsure = true
  }

  /** Sets the owned partitions. */
  keep(owned: TopicPartitions): void {
    const { memberId, epoch } = this
    if (!isSubset(this.owned, owned)) this.former.push({ memberId, epoch, owned: this.owned })
    this.owned = owned
  }

  /** Revokes all partitions, and makes it join. */
  drop(): void {
    this.keep(nothing)
    this.epoch = 0
    this.lastAssignment = nothing
    this.isUnsure = true
  }

  /** Restarts the process of the member. */
  restart(): void {
    this.drop()
    this.memberId = `${this.name}.${++this.#lives}`
  }
}

interface Pending {
  readonly member: SimulatedMember
  readonly memberId: string
  readonly epoch: number
  readonly revision: number
  readonly sentMs: number
}

interface PendingCommit {
  readonly self: FormerSelf
  /** The owners of its partitions when it was sent. */
  readonly owners: readonly string[]
}

export class ConsumerSimulation {
  readonly catalog: MemoryCatalog
  readonly log = new SimulatedLog()
  readonly outcomes: HeartbeatOutcome[] = []
  /** Error codes of the answers to commits. */
  readonly commitCodes: number[] = []
  readonly joined: JoinOutcome[] = []
  readonly synced: SyncOutcome[] = []
  readonly groupId = groupId
  readonly classic = new ClassicConsumers(this)
  coordinator: GroupCoordinator
  nowMs = 0
  /** The highest epoch that a member of the group has been sent. */
  #highestEpoch = 0
  /** Counts how often the group has been empty, after which its epochs start again. */
  #life = 0
  /** The run of the member in which each request was sent: the answer may arrive in a later one. */
  readonly #sentIn = new Map<number, number>()
  #members: readonly SimulatedMember[] = []
  readonly #pending = new Map<number, Pending>()
  readonly #commits = new Map<number, PendingCommit>()
  readonly #asked = new Map<number, (errorCodes: readonly number[]) => void>()
  readonly #limits: Partial<typeof generousLimits>
  #wakeAtMs = Number.POSITIVE_INFINITY
  #nextRequestId = 1
  #nextMemberNumber = 1

  constructor(
    topics: Readonly<Record<string, number>>,
    limits: Partial<typeof consumerLimits> = {},
  ) {
    this.catalog = new MemoryCatalog(topics)
    this.#limits = { consumer: { ...consumerLimits, ...limits } }
    this.coordinator = this.#newCoordinator()
  }

  #newCoordinator(): GroupCoordinator {
    return new GroupCoordinator({
      limits: { ...generousLimits, ...this.#limits },
      newMemberId: (prefix) => `${prefix}-${this.#nextMemberNumber++}`,
      catalog: this.catalog,
    })
  }

  with(members: readonly SimulatedMember[], classic: readonly ClassicConsumer[] = []): void {
    this.#members = members
    this.classic.with(classic)
  }

  get group() {
    return this.coordinator.consumerGroup(groupId)
  }

  isWaiting(member: SimulatedMember): boolean {
    return [...this.#pending.values()].some((pending) => pending.member === member)
  }

  newRequestId(): number {
    return this.#nextRequestId++
  }

  // Requests

  heartbeat(member: SimulatedMember): void {
    const isFull = member.epoch === 0 || member.isUnsure
    this.send(member, {
      memberEpoch: member.epoch,
      rebalanceTimeoutMs: isFull ? 10_000_000 : -1,
      subscribedTopicNames: isFull ? member.topics : null,
      subscribedTopicRegex: isFull ? (member.regex ?? '') : null,
      owned: isFull || !equal(member.owned, member.reported) ? member.owned : null,
    })
    member.reported = member.owned
  }

  /** A static member may leave temporarily. */
  leave(member: SimulatedMember, forGood: boolean): void {
    const comesBack = member.instanceId !== null && !forGood
    this.send(member, { memberEpoch: comesBack ? -2 : -1 })
    member.restart()
  }

  send(member: SimulatedMember, request: Partial<HeartbeatRequest>): void {
    const requestId = this.newRequestId()
    const { memberId, instanceId, epoch, revision } = member
    this.#pending.set(requestId, { member, memberId, epoch, revision, sentMs: this.nowMs })
    const whole = {
      memberId,
      instanceId,
      memberEpoch: 0,
      rackId: null,
      rebalanceTimeoutMs: -1,
      clientId: member.name,
      clientHost: '/h',
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      owned: null,
      requireMemberId: true,
      ...request,
    }
    this.handle({ type: 'consumerHeartbeat', requestId, groupId, request: whole })
  }

  /**
   * A present or former member commits, which may succeed only as long as no other member owns the
   * partitions that it owned.
   */
  commit(self: FormerSelf): void {
    const requestId = this.newRequestId()
    const { memberId, epoch } = self
    const owners = this.#everyone()
      .filter((one) => one.memberId !== memberId || one.epoch !== epoch)
      .filter(({ owned }) => overlaps(owned, self.owned))
      .map(({ name }) => name)
    this.#commits.set(requestId, { self, owners })
    const committer = { memberId, groupInstanceId: null, generationId: epoch, apiVersion: 9 }
    const value = { offset: 1, leaderEpoch: 0, metadata: '', commitTimestampMs: 0 }
    const offsets = [{ topic: 't', partition: 0, value: { ...value, expireTimestampMs: -1 } }]
    this.handle({ type: 'commit', requestId, groupId, committer, offsets })
  }

  /** Revokes the partitions that it was asked to revoke. */
  revoke(member: SimulatedMember): void {
    member.keep(
      filterPartitions(member.owned, (...at) => hasPartition(member.lastAssignment, ...at)),
    )
  }

  /** Loses the answers to the pending requests of the member. */
  lose(member: SimulatedMember): void {
    for (const [requestId, pending] of this.#pending) {
      if (pending.member !== member) continue
      this.#pending.delete(requestId)
      member.isUnsure = true
    }
  }

  // The environment

  advance(ms: number): void {
    this.nowMs += ms
    for (const member of this.#members) {
      // A member without answers for a session must assume that others own its partitions.
      if (member.epoch > 0 && this.nowMs >= member.heardMs + sessionTimeoutMs) member.drop()
    }
    this.classic.passTime()
    while (this.nowMs >= this.#wakeAtMs) {
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      this.handle({ type: 'wake', groupId })
    }
  }

  completeAppend(errorCode: number): void {
    const done = this.log.complete(errorCode)
    if (!done) return
    this.handle({ type: 'appended', ...done })
  }

  completeAll(): void {
    while (!this.log.isIdle) this.completeAppend(ErrorCode.none)
  }

  /**
   * Moves the leadership to another broker: the first `written` appends in flight are in the log,
   * and no result is reported.
   */
  moveLeader(written: number): void {
    this.log.write(written)
    this.restartBroker()
  }

  /** Restarts the broker: pending requests get no answer, and only the log remains. */
  restartBroker(): void {
    this.log.crash()
    for (const member of this.#members) this.lose(member)
    this.classic.brokerRestarted()
    this.#commits.clear()
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    this.coordinator = this.#newCoordinator()
    const replay = this.coordinator.replay()
    this.log.replay(replay)
    this.#perform(this.coordinator.loaded(this.nowMs, this.nowMs, replay))
  }

  handle(event: GroupEvent): void {
    if ('requestId' in event) this.#sentIn.set(event.requestId, this.#life)
    this.#perform(this.coordinator.handle(this.nowMs, event))
  }

  ask(eventOf: (requestId: number) => GroupEvent): readonly number[] {
    const id = this.newRequestId()
    let codes: readonly number[] | undefined
    this.#asked.set(id, (answered) => {
      codes = answered
    })
    this.handle(eventOf(id))
    expect(codes, 'answered immediately').toBeDefined()
    return codes!
  }

  #perform(effects: readonly CoordinatorEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'append') this.log.append(effect)
      else if (effect.type === 'wakeAt') this.#wakeAtMs = Math.min(this.#wakeAtMs, effect.atMs)
      else if (effect.type === 'joined') {
        this.joined.push(effect.outcome)
        const { memberId, generationId } = effect.outcome
        this.classic.answered(effect)
        // A generation of a classic group is announced before it is in the log.
        const isMember = this.classic.members.some((member) => member.memberId === memberId)
        if (this.group && isMember) this.#noteEpoch(effect.requestId, generationId)
      } else if (effect.type === 'synced') {
        this.synced.push(effect.outcome)
        this.classic.answered(effect)
      } else if (effect.type === 'answered') this.#codes(effect.requestId, effect.errorCodes)
      else if (effect.type === 'heartbeatAnswered') this.#answered(effect.requestId, effect.outcome)
    }
    this.#expectOneOwner()
    this.#expectEpochsToGrow()
  }

  #codes(requestId: number, errorCodes: readonly number[]): void {
    const asked = this.#asked.get(requestId)
    this.#asked.delete(requestId)
    if (asked) asked(errorCodes)
    else this.#commitWritten(requestId, errorCodes)
  }

  #commitWritten(requestId: number, errorCodes: readonly number[]): void {
    const commit = this.#commits.get(requestId)
    if (!commit) return
    this.#commits.delete(requestId)
    this.commitCodes.push(...errorCodes)
    if (!errorCodes.includes(ErrorCode.none)) return
    const { self, owners } = commit
    expect(owners, `${self.memberId} commits in epoch ${self.epoch} for others`).toEqual([])
  }

  #noteEpoch(requestId: number, epoch: number): void {
    if (this.#sentIn.get(requestId) !== this.#life) return
    this.#highestEpoch = Math.max(this.#highestEpoch, epoch)
  }

  /** Checks that epochs that were sent never decrease, until the group is empty. */
  #expectEpochsToGrow(): void {
    const [group] = this.coordinator.groups()
    if (!group || group.isEmpty) {
      this.#highestEpoch = 0
      this.#life++
    }
    const classic = this.coordinator.classicGroup(groupId)
    const epoch = this.group?.groupEpoch ?? classic?.generationId ?? 0
    const highest = this.#highestEpoch
    if (epoch < highest) expect.fail(`epoch ${epoch} was sent after epoch ${highest}`)
  }

  #everyone() {
    return [
      ...this.#members,
      ...this.classic.members.map(({ name, memberId, generationId, owned }) => {
        return { name, memberId, epoch: generationId, owned }
      }),
    ]
  }

  #answered(requestId: number, outcome: HeartbeatOutcome): void {
    this.outcomes.push(outcome)
    const pending = this.#pending.get(requestId)
    if (!pending) return
    this.#pending.delete(requestId)
    const { member, memberId, epoch, sentMs } = pending
    // It has left since, or dropped its membership.
    if (epoch !== member.epoch || memberId !== member.memberId) return
    switch (outcome.errorCode) {
      case ErrorCode.none:
        if (outcome.memberEpoch < 0) return
        expect(outcome.memberEpoch).toBeGreaterThanOrEqual(epoch)
        if (this.nowMs >= sentMs + sessionTimeoutMs) member.drop()
        else this.#takeOver(requestId, pending, outcome)
        break
      case ErrorCode.unknownMemberId:
      case ErrorCode.fencedMemberEpoch:
      case ErrorCode.groupIdNotFound:
        member.drop()
        break
      case ErrorCode.fencedInstanceId:
        member.restart()
        break
      default:
        member.isUnsure = true
    }
  }

  #takeOver(
    requestId: number,
    { member, revision, sentMs }: Pending,
    outcome: HeartbeatOutcome,
  ): void {
    member.epoch = outcome.memberEpoch
    this.#noteEpoch(requestId, member.epoch)
    member.isUnsure = revision !== member.revision
    member.heardMs = sentMs
    if (outcome.assignment === null) return
    member.lastAssignment = outcome.assignment
    member.owned = union(member.owned, outcome.assignment)
  }

  #expectOneOwner(): void {
    const owners = new Map<string, string>()
    for (const { name, owned } of this.#everyone()) {
      for (const at of places(owned)) {
        const other = owners.get(at)
        // Compared by hand, because this runs after every step and a matcher that passes is too
        // slow.
        if (other !== undefined) expect.fail(`${at} is with ${other} and with ${name}`)
        owners.set(at, name)
      }
    }
  }
}

export function places(all: TopicPartitions): string[] {
  return toList(all).flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => `${topicId}-${partition}`),
  )
}
