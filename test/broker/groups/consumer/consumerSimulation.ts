// Members of one consumer group around a coordinator, without clocks, logs or sockets: tests say who
// does what, which answers are lost and when an append completes. Whatever the order, no partition
// may ever be with two members at once.

import { expect } from 'vitest'
import type {
  HeartbeatOutcome,
  HeartbeatRequest,
} from '../../../../broker/groups/consumer/heartbeatRequest.ts'
import {
  equal,
  filterPartitions,
  hasPartition,
  type TopicPartitions,
  toList,
  union,
} from '../../../../broker/groups/consumer/topicPartitions.ts'
import { GroupCoordinator } from '../../../../broker/groups/groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from '../../../../broker/groups/groupOutcome.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { consumerLimits, generousLimits } from '../groupSimulation.ts'
import { MemoryCatalog } from '../memoryCatalog.ts'
import { SimulatedLog } from '../simulatedLog.ts'

export const groupId = 'g'
export const sessionTimeoutMs = 45_000
const nothing: TopicPartitions = new Map()

export class SimulatedMember {
  readonly name: string
  readonly instanceId: string | null
  memberId: string
  epoch = 0
  topics: readonly string[]
  regex: string | null
  /** How often it has changed its mind. */
  revision = 0
  /** What it consumes from. */
  owned: TopicPartitions = nothing
  /** What it was last told to have. */
  told: TopicPartitions = nothing
  /** What it last said that it has. */
  reported: TopicPartitions = nothing
  /** Its last request was not answered: it says everything again. */
  isUnsure = true
  /** When it sent what was answered last. */
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

  /** It lets go of everything, and is to join. */
  drop(): void {
    this.epoch = 0
    this.owned = nothing
    this.told = nothing
    this.isUnsure = true
  }

  /** Its process ends and begins again. */
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

export class ConsumerSimulation {
  readonly catalog: MemoryCatalog
  readonly log = new SimulatedLog()
  readonly outcomes: HeartbeatOutcome[] = []
  readonly joined: JoinOutcome[] = []
  readonly synced: SyncOutcome[] = []
  coordinator: GroupCoordinator
  nowMs = 0
  #members: readonly SimulatedMember[] = []
  readonly #pending = new Map<number, Pending>()
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
    return new GroupCoordinator(
      { ...generousLimits, ...this.#limits },
      (prefix) => `${prefix}-${this.#nextMemberNumber++}`,
      this.catalog,
    )
  }

  with(members: readonly SimulatedMember[]): void {
    this.#members = members
  }

  get group() {
    return this.coordinator.consumerGroup(groupId)
  }

  isWaiting(member: SimulatedMember): boolean {
    return [...this.#pending.values()].some((pending) => pending.member === member)
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

  /** A static member may say that it will be back. */
  leave(member: SimulatedMember, forGood: boolean): void {
    const comesBack = member.instanceId !== null && !forGood
    this.send(member, { memberEpoch: comesBack ? -2 : -1 })
    member.restart()
  }

  send(member: SimulatedMember, request: Partial<HeartbeatRequest>): void {
    const requestId = this.#nextRequestId++
    const { memberId, instanceId, epoch, revision } = member
    this.#pending.set(requestId, { member, memberId, epoch, revision, sentMs: this.nowMs })
    this.coordinator.consumers.heartbeat(this.nowMs, requestId, groupId, {
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
    })
    this.perform()
  }

  /** It lets go of what it was told to. */
  revoke(member: SimulatedMember): void {
    member.owned = filterPartitions(member.owned, (...at) => hasPartition(member.told, ...at))
  }

  /** The answers to what the member has sent do not reach it. */
  lose(member: SimulatedMember): void {
    for (const [requestId, pending] of this.#pending) {
      if (pending.member !== member) continue
      this.#pending.delete(requestId)
      member.isUnsure = true
    }
  }

  // The world

  advance(ms: number): void {
    this.nowMs += ms
    for (const member of this.#members) {
      // A member that nobody answers knows that others may have what it had.
      if (member.epoch > 0 && this.nowMs >= member.heardMs + sessionTimeoutMs) member.drop()
    }
    while (this.nowMs >= this.#wakeAtMs) {
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      this.coordinator.wake(this.nowMs, groupId)
      this.perform()
    }
  }

  completeAppend(errorCode: number): void {
    const done = this.log.complete(errorCode)
    if (!done) return
    this.coordinator.appended(this.nowMs, done.appendId, done.appended)
    this.perform()
  }

  completeAll(): void {
    while (!this.log.isIdle) this.completeAppend(ErrorCode.none)
  }

  /** The broker ends and starts again: nobody who waits is answered, the log is all that is left. */
  restartBroker(): void {
    this.log.crash()
    for (const member of this.#members) this.lose(member)
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    this.coordinator = this.#newCoordinator()
    const replay = this.coordinator.replay()
    this.log.replay(replay)
    replay.finish(this.nowMs, this.nowMs)
    this.perform()
  }

  perform(): void {
    for (const effect of this.coordinator.takeEffects()) {
      if (effect.type === 'append') this.log.append(effect)
      else if (effect.type === 'wakeAt') this.#wakeAtMs = Math.min(this.#wakeAtMs, effect.atMs)
      else if (effect.type === 'joined') this.joined.push(effect.outcome)
      else if (effect.type === 'synced') this.synced.push(effect.outcome)
      else if (effect.type === 'heartbeatAnswered') this.#answered(effect.requestId, effect.outcome)
    }
    this.#expectOneOwner()
  }

  #answered(requestId: number, outcome: HeartbeatOutcome): void {
    this.outcomes.push(outcome)
    const pending = this.#pending.get(requestId)
    if (!pending) return
    this.#pending.delete(requestId)
    const { member, memberId, epoch, sentMs } = pending
    // It has given itself up since, or left.
    if (epoch !== member.epoch || memberId !== member.memberId) return
    switch (outcome.errorCode) {
      case ErrorCode.none:
        if (outcome.memberEpoch < 0) return
        expect(outcome.memberEpoch).toBeGreaterThanOrEqual(epoch)
        if (this.nowMs >= sentMs + sessionTimeoutMs) member.drop()
        else this.#takeOver(pending, outcome)
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

  #takeOver({ member, revision, sentMs }: Pending, outcome: HeartbeatOutcome): void {
    member.epoch = outcome.memberEpoch
    member.isUnsure = revision !== member.revision
    member.heardMs = sentMs
    if (outcome.assignment === null) return
    member.told = outcome.assignment
    member.owned = union(member.owned, outcome.assignment)
  }

  #expectOneOwner(): void {
    const owners = new Map<string, string>()
    for (const { name, owned } of this.#members) {
      for (const at of places(owned)) {
        expect(owners.get(at), `${at} of ${name} has one owner`).toBeUndefined()
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
