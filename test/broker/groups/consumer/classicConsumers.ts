// Simulated consumers of the classic protocol, in a group of either kind: what such a client does
// next, and how it reads the answers. Eager consumers revoke all partitions before they join;
// cooperative ones keep them, report them, and revoke those that the leader assigns to others.

import { fromTopics } from '../../../../broker/groups/consumer/classicProtocol.ts'
import {
  isSubset,
  type TopicPartitions,
} from '../../../../broker/groups/consumer/topicPartitions.ts'
import type { GroupEvent } from '../../../../broker/groups/groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from '../../../../broker/groups/groupOutcome.ts'
import type { CoordinatorEffect } from '../../../../broker/groups/groupRegistry.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { MemoryCatalog } from '../memoryCatalog.ts'
import { assignByLeader, toTopics } from './leaderAssignor.ts'

export type ClassicProtocol = 'eager' | 'cooperative'
export const classicSessionTimeoutMs = 30_000
const nothing: TopicPartitions = new Map()

/** The identity of a member when it owned partitions that it has revoked or lost since. */
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
  /** Generation of the member; -1 when it is in none. */
  generationId = -1
  /**
   * The generation of its current assignment. A generation that was only announced is not in the
   * log.
   */
  assignedIn = -1
  next: 'join' | 'sync' | 'heartbeat' = 'join'
  owned: TopicPartitions = nothing
  /**
   * The owned partitions in its last JoinGroup, which the leader assigns to no other member
   * meanwhile.
   */
  reported: TopicPartitions = nothing
  /** Set for the leader: the members to assign partitions to. */
  members: JoinOutcome['members'] | undefined
  /** For a leader: the topics of its last assignment. */
  sharedVersion: number | undefined
  /** When it sent the last request that was answered. */
  heardMs = 0
  /**
   * A static member that ended before it was asked to revoke a partition returns to its place in
   * the running generation, so that the partition has no owner before the next rebalance. As in
   * Kafka.
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

  /** Sets the owned partitions. */
  keep(owned: TopicPartitions): void {
    const { memberId, assignedIn: epoch } = this
    if (!isSubset(this.owned, owned)) this.former.push({ memberId, epoch, owned: this.owned })
    this.owned = owned
  }

  /** The member has lost its place and its partitions. */
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

  /** Restarts the process of the member. */
  restart(): void {
    if (this.instanceId !== null && this.next === 'sync' && this.owned.size > 0) {
      this.hasLeftPartitions = true
    }
    this.drop()
    this.memberId = ''
  }
}

/** The simulation, as far as the clients need it. */
export interface ClassicSimulation {
  readonly groupId: string
  readonly catalog: MemoryCatalog
  readonly nowMs: number
  handle(event: GroupEvent): void
  /** Sends a request that is answered immediately, with error codes. */
  ask(eventOf: (requestId: number) => GroupEvent): readonly number[]
  newRequestId(): number
}

interface Pending {
  readonly member: ClassicConsumer
  readonly sentMs: number
}

export class ClassicConsumers {
  readonly #simulation: ClassicSimulation
  #members: readonly ClassicConsumer[] = []
  readonly #pending = new Map<number, Pending>()

  constructor(simulation: ClassicSimulation) {
    this.#simulation = simulation
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

  /** Takes the next step of the client. */
  step(member: ClassicConsumer): void {
    if (this.isWaiting(member)) return
    if (this.#hasNewTopics(member)) member.rejoin()
    if (member.next === 'join') this.#join(member)
    else if (member.next === 'sync') this.#sync(member)
    else this.#heartbeat(member)
  }

  leave(member: ClassicConsumer): void {
    const { groupId } = this.#simulation
    const members = [identity(member)]
    this.restart(member)
    this.#simulation.ask((requestId) => ({ type: 'leave', requestId, groupId, members }))
  }

  restart(member: ClassicConsumer): void {
    this.#forget(member)
    member.restart()
  }

  /** Loses the answers to the pending requests of the member. */
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
      // A member without answers for a session must assume that others own its partitions.
      const isOver = this.#simulation.nowMs >= member.heardMs + classicSessionTimeoutMs
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
    const { catalog, groupId } = this.#simulation
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
    this.#simulation.handle({ type: 'join', requestId: this.#request(member), groupId, request })
  }

  #joined(member: ClassicConsumer, outcome: JoinOutcome): void {
    member.memberId = outcome.memberId
    member.generationId = outcome.generationId
    member.next = 'sync'
    const leads = outcome.leader === outcome.memberId
    member.members = leads && !outcome.skipAssignment ? outcome.members : undefined
    // A leader that skips the assignment compares the topics later.
    member.sharedVersion = leads ? -1 : undefined
  }

  #sync(member: ClassicConsumer): void {
    const { catalog, groupId } = this.#simulation
    const assignments = member.members ? assignByLeader(member.members, catalog) : []
    if (member.members) member.sharedVersion = catalog.topicsVersion
    const request = {
      ...identity(member),
      generationId: member.generationId,
      protocolType: 'consumer',
      protocolName: member.protocol,
      assignments,
    }
    this.#simulation.handle({ type: 'sync', requestId: this.#request(member), groupId, request })
  }

  #synced(member: ClassicConsumer, { assignment }: SyncOutcome): void {
    const { assignedPartitions } =
      assignment.length === 0
        ? { assignedPartitions: [] }
        : consumerProtocolAssignment.decode(assignment)
    member.keep(fromTopics(assignedPartitions, this.#simulation.catalog))
    member.assignedIn = member.generationId
    member.next = 'heartbeat'
    // Even if it has revoked them meanwhile: no other member got them, because it had reported
    // them.
    if (!isSubset(member.reported, member.owned)) member.rejoin()
  }

  #heartbeat(member: ClassicConsumer): void {
    const { groupId, nowMs } = this.#simulation
    const of = { groupId, identity: identity(member), generationId: member.generationId }
    const [code] = this.#simulation.ask((requestId) => ({ type: 'heartbeat', requestId, ...of }))
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
    const { topicsVersion } = this.#simulation.catalog
    return next === 'heartbeat' && (sharedVersion ?? topicsVersion) !== topicsVersion
  }

  #request(member: ClassicConsumer): number {
    const requestId = this.#simulation.newRequestId()
    this.#pending.set(requestId, { member, sentMs: this.#simulation.nowMs })
    return requestId
  }

  #forget(member: ClassicConsumer): void {
    for (const [requestId, pending] of this.#pending) {
      if (pending.member === member) this.#pending.delete(requestId)
    }
  }
}

/**
 * Whether a cooperative member may have an assignment that it has not seen. An upgrade treats
 * partitions outside of it as revoked, if the member has requested the assignment or the
 * coordinator has restarted since, although the member owns them until it sees the answer. Kafka's
 * protocol has the same gap.
 */
function giveUp(member: ClassicConsumer): void {
  member.keep(nothing)
}

function identity({ memberId, instanceId }: ClassicConsumer) {
  return { memberId, groupInstanceId: instanceId }
}
