// One member's talk with its group's coordinator: joins, assigns when it is the leader, sends
// heartbeats in the background, commits, leaves. When to do what, and what an answer means, is
// GroupMembership's to decide. It knows nothing of fetching.

import { heartbeat } from '../kafka/apis/heartbeat.ts'
import { joinGroup } from '../kafka/apis/joinGroup.ts'
import { leaveGroup } from '../kafka/apis/leaveGroup.ts'
import { offsetCommit } from '../kafka/apis/offsetCommit.ts'
import { syncGroup } from '../kafka/apis/syncGroup.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../kafka/groups.ts'
import type { Api, RequestInput, ResponseOf } from '../kafka/schema.ts'
import type { Timer } from '../runtime/clock.ts'
import { ClientError, isRetriableFailure } from './clientError.ts'
import type { Cluster } from './cluster.ts'
import { fetchCommittedOffsets, saysCoordinatorMoved } from './committedOffsets.ts'
import { GroupMembership } from './groupMembership.ts'
import { type Assignment, rangeAssign } from './rangeAssignor.ts'

export interface GroupSessionOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  /** How long a rebalance waits for this member to poll. */
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** From here on LeaveGroup names members in entries. */
const leaveByEntryVersion = 3
const assignorName = 'range'

export class GroupSession {
  readonly #cluster: Cluster
  readonly #options: GroupSessionOptions
  readonly #membership: GroupMembership
  /** A join waits for all other members: nobody else should have to. */
  readonly #lane: string
  #timer: Timer | undefined

  constructor(cluster: Cluster, options: GroupSessionOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#membership = new GroupMembership(options)
    this.#lane = cluster.newLane(`group ${options.groupId}`)
  }

  /** False: a rebalance is under way, `join` before anything else. */
  get isStable(): boolean {
    return this.#membership.state === 'stable'
  }

  get memberId(): string {
    return this.#membership.memberId
  }

  get generationId(): number {
    return this.#membership.generationId
  }

  /**
   * Becomes a member of the group's next generation, however long that takes, and returns what is
   * assigned to it. Fails with the KafkaError of a group that will not have it.
   */
  async join(): Promise<Assignment> {
    const backoff = this.#cluster.newBackoff()
    for (;;) {
      try {
        const assignment = await this.#tryToJoin()
        if (assignment !== undefined) return assignment
      } catch (error) {
        if (!isRetriableFailure(error)) throw error
        this.#cluster.forgetCoordinator(this.#options.groupId)
        await this.#cluster.pause(backoff.failed())
      }
    }
  }

  /** Where the group has got to in what is assigned. */
  async committed(assignment: Assignment): Promise<Map<string, Map<number, number>>> {
    return await this.#cluster.retrying(this.#options.sessionTimeoutMs, () =>
      fetchCommittedOffsets(this.#cluster, this.#options.groupId, assignment, this.#lane),
    )
  }

  /** Next offsets to read, by topic and partition. Fails with KafkaError when the group moved on. */
  async commit(offsets: ReadonlyMap<string, ReadonlyMap<number, number>>): Promise<void> {
    const topics = [...offsets].map(([name, partitions]) => ({
      name,
      partitions: [...partitions].map(([partitionIndex, committedOffset]) => ({
        partitionIndex,
        committedOffset,
        committedMetadata: null,
      })),
    }))
    await this.#cluster.retrying(this.#options.sessionTimeoutMs, async () => {
      const { memberId, generationId } = this.#membership
      const request = { ...this.#member, generationIdOrMemberEpoch: generationId, memberId, topics }
      const answer = await this.#ask(offsetCommit, request)
      for (const { errorCode } of answer.topics.flatMap(({ partitions }) => partitions)) {
        if (errorCode === ErrorCode.none) continue
        this.#noteCoordinator(errorCode)
        this.#membership.commitRefused(errorCode)
        throw new KafkaError(errorCode, `commit of ${this.#options.groupId}`)
      }
    })
  }

  /** Tells the coordinator, so that the others need not wait for the session to end. */
  async leave(): Promise<void> {
    this.#timer?.cancel()
    const { memberId } = this.#membership
    try {
      if (memberId !== '') await this.#sendLeave(memberId)
    } catch (error) {
      // The session's timeout says the same, later.
      if (!isRetriableFailure(error)) throw error
    } finally {
      this.#cluster.closeLane(this.#lane)
    }
  }

  get #member() {
    return { groupId: this.#options.groupId, groupInstanceId: null }
  }

  async #tryToJoin(): Promise<Assignment | undefined> {
    this.#timer?.cancel()
    this.#membership.joinStarted()
    const joined = await this.#sendJoin()
    const { errorCode, memberId, generationId } = joined
    const isIn = this.#membership.joinAnswered(errorCode, memberId, generationId)
    if (isIn !== 'accepted') return this.#notIn(isIn, errorCode)
    const synced = await this.#sendSync(joined)
    const isSynced = this.#membership.syncAnswered(synced.errorCode, this.#nowMs())
    if (isSynced !== 'accepted') return this.#notIn(isSynced, synced.errorCode)
    this.#scheduleHeartbeat()
    return decodeAssignment(synced.assignment)
  }

  /** Undefined: join again at once. */
  #notIn(verdict: 'again' | 'rejoin' | 'failed', errorCode: number): undefined {
    if (verdict === 'rejoin') return undefined
    throw this.#membership.failure ?? new KafkaError(errorCode, this.#options.groupId)
  }

  async #sendJoin(): Promise<ResponseOf<typeof joinGroup>> {
    const { topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const metadata = consumerProtocolSubscription.encode({ topics })
    const timeoutMs = rebalanceTimeoutMs + this.#cluster.requestTimeoutMs
    const request = {
      ...this.#member,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#membership.memberId,
      protocolType: consumerProtocolType,
      protocols: [{ name: assignorName, metadata }],
    }
    return await this.#ask(joinGroup, request, timeoutMs)
  }

  async #sendSync(joined: ResponseOf<typeof joinGroup>): Promise<ResponseOf<typeof syncGroup>> {
    const { memberId, generationId } = this.#membership
    const assignments = joined.leader === memberId ? await this.#assign(joined.members) : []
    const request = {
      ...this.#member,
      generationId,
      memberId,
      protocolType: consumerProtocolType,
      protocolName: joined.protocolName ?? assignorName,
      assignments,
    }
    const timeoutMs = this.#options.rebalanceTimeoutMs + this.#cluster.requestTimeoutMs
    return await this.#ask(syncGroup, request, timeoutMs)
  }

  /** The leader's part: the partitions of all topics that anyone wants. */
  async #assign(members: ResponseOf<typeof joinGroup>['members']) {
    const subscribed = members.map(({ memberId, metadata }) => ({
      memberId,
      topics: consumerProtocolSubscription.decode(metadata).topics,
    }))
    const counts = new Map<string, number>()
    for (const topic of new Set(subscribed.flatMap(({ topics }) => topics))) {
      this.#cluster.invalidate(topic)
      counts.set(topic, await this.#cluster.partitionCount(topic))
    }
    return [...rangeAssign(subscribed, counts)].map(([memberId, assignment]) => ({
      memberId,
      assignment: encodeAssignment(assignment),
    }))
  }

  #scheduleHeartbeat(): void {
    const delayMs = this.#membership.heartbeatInMs(this.#nowMs())
    if (delayMs === undefined) return
    this.#timer = this.#cluster.runtime.clock.setTimer(delayMs, () => void this.#heartbeat())
  }

  async #heartbeat(): Promise<void> {
    const { memberId, generationId } = this.#membership
    try {
      const request = { ...this.#member, generationId, memberId }
      const { errorCode } = await this.#ask(heartbeat, request)
      this.#noteCoordinator(errorCode)
      this.#membership.heartbeatAnswered(errorCode, generationId, this.#nowMs())
    } catch (error) {
      if (error instanceof ClientError && error.code === 'CLIENT_CLOSED') return
      // Whatever went wrong, the coordinator did not answer; how long that may go on is decided there.
      this.#cluster.forgetCoordinator(this.#options.groupId)
      this.#membership.heartbeatLost(this.#nowMs())
    }
    this.#timer?.cancel()
    this.#scheduleHeartbeat()
  }

  async #sendLeave(memberId: string): Promise<void> {
    const { groupId } = this.#options
    const connection = await this.#cluster.coordinator(groupId, this.#lane)
    const hasEntries = connection.versionOf(leaveGroup) >= leaveByEntryVersion
    await connection.send(
      leaveGroup,
      hasEntries ? { groupId, members: [{ memberId }] } : { groupId, memberId },
    )
  }

  async #ask<A extends Api>(
    api: A,
    request: RequestInput<A>,
    timeoutMs = this.#cluster.requestTimeoutMs,
  ): Promise<ResponseOf<A>> {
    const connection = await this.#cluster.coordinator(this.#options.groupId, this.#lane)
    return await connection.send(api, request, { timeoutMs })
  }

  #noteCoordinator(errorCode: number): void {
    if (saysCoordinatorMoved(errorCode)) this.#cluster.forgetCoordinator(this.#options.groupId)
  }

  #nowMs(): number {
    return this.#cluster.runtime.clock.monotonicMs()
  }
}

function encodeAssignment(assignment: Assignment): Buffer {
  const assignedPartitions = [...assignment].map(([topic, partitions]) => ({ topic, partitions }))
  return consumerProtocolAssignment.encode({ assignedPartitions })
}

/** A leader that assigns a member nothing may send no bytes at all. */
function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return new Map()
  const { assignedPartitions } = consumerProtocolAssignment.decode(bytes)
  return new Map(assignedPartitions.map(({ topic, partitions }) => [topic, partitions]))
}
