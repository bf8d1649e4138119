// Consumers of the classic protocol around a simulated coordinator, in a group that may be of
// either kind: what such a client does next, and what it makes of the answers. Eager ones let go of
// everything before they join; cooperative ones keep it, say so, and give up what others are to
// have.

import { fromTopics } from '../../../../broker/groups/consumer/classicProtocol.ts'
import {
  isSubset,
  type TopicPartitions,
} from '../../../../broker/groups/consumer/topicPartitions.ts'
import type { GroupEvent } from '../../../../broker/groups/groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from '../../../../broker/groups/groupOutcome.ts'
import type { CoordinatorEffect } from '../../../../broker/groups/groupRegistry.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../../protocol/kafka/groups.ts'
import type { MemoryCatalog } from '../memoryCatalog.ts'
import { assignByLeader, toTopics } from './leaderAssignor.ts'

export type ClassicProtocol = 'eager' | 'cooperative'
export const classicSessionTimeoutMs = 30_000
const nothing: TopicPartitions = new Map()

/** Who a member was when it had partitions that it has given up or lost since. */
export interface FormerSelf {
  readonly memberId: string
  readonly epoch: number
  readonly owned: TopicPartitions
}

export class ClassicConsumer {
  readonly name: string
  readonly instanceId: string | null
  readonly protocol: ClassicProtocol
  readonly former: FormerSelf[] = []
  topics: readonly string[]
  memberId = ''
  /** -1 when it is in none. */
  generationId = -1
  /** The generation in which it got what it has: others are not in the log when they are told. */
  assignedIn = -1
  next: 'join' | 'sync' | 'heartbeat' = 'join'
  owned: TopicPartitions = nothing
  /** The owned partitions in its last JoinGroup: the leader deals them to nobody else meanwhile. */
  reported: TopicPartitions = nothing
  /** Set for the leader: what it is to share out. */
  members: JoinOutcome['members'] | undefined
  /** Of a leader: the topics that it has shared out last. */
  sharedVersion: number | undefined
  /** When it sent what was answered last. */
  heardMs = 0
  /**
   * A static member that ended before it was told to give a partition up: it takes its place back
   * in the running generation, and so the partition is with nobody before the next rebalance. In
   * Kafka as well.
   */
  hasLeftPartitions = false

  constructor(
    name: string,
    topics: readonly string[],
    instanceId: string | null,
    protocol: ClassicProtocol,
  ) {
    this.name = name
    this.topics = topics
    this.instanceId = instanceId
    this.protocol = protocol
  }

  /** From now on it has these only. */
  keep(owned: TopicPartitions): void {
    const { memberId, assignedIn: epoch } = this
    if (!isSubset(this.owned, owned)) this.former.push({ memberId, epoch, owned: this.owned })
    this.owned = owned
  }

  /** It has lost its place, and what it had with it. */
  drop(): void {
    this.keep(nothing)
    this.generationId = -1
    this.rejoin()
  }

  rejoin(): void {
    this.next = 'join'
    this.members = undefined
    this.sharedVersion = undefined
  }

  /** Its process ends and begins again. */
  restart(): void {
    if (this.instanceId !== null && this.next === 'sync' && this.owned.size > 0) {
      this.hasLeftPartitions = true
    }
    this.drop()
    this.memberId = ''
  }
}

/** What the clients need of the simulation that they are in. */
export interface ClassicWorld {
  readonly groupId: string
  readonly catalog: MemoryCatalog
  readonly nowMs: number
  handle(event: GroupEvent): void
  /** Somebody asks who is answered at once, with error codes. */
  ask(eventOf: (requestId: number) => GroupEvent): readonly number[]
  newRequestId(): number
}

interface Pending {
  readonly member: ClassicConsumer
  readonly sentMs: number
}

export class ClassicConsumers {
  readonly #world: ClassicWorld
  #members: readonly ClassicConsumer[] = []
  readonly #pending = new Map<number, Pending>()

  constructor(world: ClassicWorld) {
    this.#world = world
  }

  get members(): readonly ClassicConsumer[] {
    return this.#members
  }

  with(members: readonly ClassicConsumer[]): void {
    this.#members = members
  }

  isWaiting(member: ClassicConsumer): boolean {
    return [...this.#pending.values()].some((pending) => pending.member === member)
  }

  /** Does what the client would do next. */
  step(member: ClassicConsumer): void {
    if (this.isWaiting(member)) return
    if (this.#hasNewTopics(member)) member.rejoin()
    if (member.next === 'join') this.#join(member)
    else if (member.next === 'sync') this.#sync(member)
    else this.#heartbeat(member)
  }

  leave(member: ClassicConsumer): void {
    const { groupId } = this.#world
    const members = [identity(member)]
    this.restart(member)
    this.#world.ask((requestId) => ({ type: 'leave', requestId, groupId, members }))
  }

  restart(member: ClassicConsumer): void {
    this.#forget(member)
    member.restart()
  }

  /** The answers to what the member has sent do not reach it. */
  lose(member: ClassicConsumer): void {
    if (this.isWaiting(member)) {
      if (member.next === 'sync') giveUp(member)
      member.rejoin()
    }
    this.#forget(member)
  }

  brokerRestarted(): void {
    for (const member of this.#members) {
      this.lose(member)
      if (member.next !== 'heartbeat') giveUp(member)
    }
  }

  passTime(): void {
    for (const member of this.#members) {
      // A member that nobody answers knows that others may have what it had.
      const isOver = this.#world.nowMs >= member.heardMs + classicSessionTimeoutMs
      if (!isOver || member.generationId < 0) continue
      this.#forget(member)
      member.drop()
    }
  }

  answered(effect: Extract<CoordinatorEffect, { type: 'joined' | 'synced' }>): void {
    const pending = this.#pending.get(effect.requestId)
    if (!pending) return
    this.#pending.delete(effect.requestId)
    const { member, sentMs } = pending
    const { errorCode } = effect.outcome
    if (errorCode !== ErrorCode.none) {
      if (errorCode === ErrorCode.memberIdRequired) {
        member.memberId = (effect.outcome as JoinOutcome).memberId
      }
      this.#failed(member, errorCode)
      return
    }
    member.heardMs = sentMs
    if (effect.type === 'joined') this.#joined(member, effect.outcome)
    else this.#synced(member, effect.outcome)
    this.passTime()
  }

  #join(member: ClassicConsumer): void {
    const { catalog, groupId } = this.#world
    const { name, memberId, instanceId, protocol, topics, generationId } = member
    if (protocol === 'eager') member.keep(nothing)
    member.reported = member.owned
    const ownedPartitions = toTopics(member.owned, catalog)
    const metadata = consumerProtocolSubscription.encode({ topics, ownedPartitions, generationId })
    const request = {
      memberId,
      groupInstanceId: instanceId,
      clientId: name,
      clientHost: '/h',
      sessionTimeoutMs: classicSessionTimeoutMs,
      rebalanceTimeoutMs: 10_000_000,
      protocolType: 'consumer',
      protocols: [{ name: protocol, metadata }],
      requireKnownMemberId: true,
      supportsSkippingAssignment: true,
    }
    this.#world.handle({ type: 'join', requestId: this.#request(member), groupId, request })
  }

  #joined(member: ClassicConsumer, outcome: JoinOutcome): void {
    member.memberId = outcome.memberId
    member.generationId = outcome.generationId
    member.next = 'sync'
    const leads = outcome.leader === outcome.memberId
    member.members = leads && !outcome.skipAssignment ? outcome.members : undefined
    // One that need not share anything out looks at the topics afterwards.
    member.sharedVersion = leads ? -1 : undefined
  }

  #sync(member: ClassicConsumer): void {
    const { catalog, groupId } = this.#world
    const assignments = member.members ? assignByLeader(member.members, catalog) : []
    if (member.members) member.sharedVersion = catalog.topicsVersion
    const request = {
      ...identity(member),
      generationId: member.generationId,
      protocolType: 'consumer',
      protocolName: member.protocol,
      assignments,
    }
    this.#world.handle({ type: 'sync', requestId: this.#request(member), groupId, request })
  }

  #synced(member: ClassicConsumer, { assignment }: SyncOutcome): void {
    const { assignedPartitions } =
      assignment.length === 0
        ? { assignedPartitions: [] }
        : consumerProtocolAssignment.decode(assignment)
    member.keep(fromTopics(assignedPartitions, this.#world.catalog))
    member.assignedIn = member.generationId
    member.next = 'heartbeat'
    // Also after it gave them up meanwhile: they were dealt to nobody, as it had reported them.
    if (!isSubset(member.reported, member.owned)) member.rejoin()
  }

  #heartbeat(member: ClassicConsumer): void {
    const { groupId, nowMs } = this.#world
    const of = { groupId, identity: identity(member), generationId: member.generationId }
    const [code] = this.#world.ask((requestId) => ({ type: 'heartbeat', requestId, ...of }))
    const errorCode = code!
    if (errorCode !== ErrorCode.none) this.#failed(member, errorCode)
    const isAlive = errorCode === ErrorCode.none || errorCode === ErrorCode.rebalanceInProgress
    if (isAlive) member.heardMs = nowMs
  }

  #failed(member: ClassicConsumer, errorCode: number): void {
    const isUnknown =
      errorCode === ErrorCode.unknownMemberId || errorCode === ErrorCode.fencedInstanceId
    if (isUnknown) member.restart()
    else if (errorCode === ErrorCode.illegalGeneration) member.drop()
    else member.rejoin()
  }

  #hasNewTopics({ next, sharedVersion }: ClassicConsumer): boolean {
    const { topicsVersion } = this.#world.catalog
    return next === 'heartbeat' && (sharedVersion ?? topicsVersion) !== topicsVersion
  }

  #request(member: ClassicConsumer): number {
    const requestId = this.#world.newRequestId()
    this.#pending.set(requestId, { member, sentMs: this.#world.nowMs })
    return requestId
  }

  #forget(member: ClassicConsumer): void {
    for (const [requestId, pending] of this.#pending) {
      if (pending.member === member) this.#pending.delete(requestId)
    }
  }
}

/**
 * Of a cooperative member that may have an assignment which it has not been told. An upgrade takes
 * what that does not name for given up, if the member has asked for it or the coordinator has been
 * restarted since, though it has it until it has the answer: Kafka's protocol knows no better.
 */
function giveUp(member: ClassicConsumer): void {
  member.keep(nothing)
}

function identity({ memberId, instanceId }: ClassicConsumer) {
  return { memberId, groupInstanceId: instanceId }
}
