// The requests of one group member to its coordinator: joins, assigns partitions as the leader,
// sends heartbeats in the background, commits and leaves. The driver of GroupMembership, which
// decides what is sent next and what a response means. Does not fetch records.

import { heartbeat } from '../../kafka/apis/heartbeat.ts'
import { joinGroup } from '../../kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../kafka/apis/leaveGroup.ts'
import { offsetCommit } from '../../kafka/apis/offsetCommit.ts'
import { syncGroup } from '../../kafka/apis/syncGroup.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../kafka/coordinators/groups.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../kafka/schema/schema.ts'
import type { Timer } from '../../runtime/time/clock.ts'
import { ClientError, isRetriableFailure } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { fetchCommittedOffsets, saysCoordinatorMoved } from './committedOffsets.ts'
import { GroupMembership } from './groupMembership.ts'
import { type Assignment, rangeAssign } from './rangeAssignor.ts'

export interface GroupSessionOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  /** How long a rebalance waits for this member to rejoin, in ms. */
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** The first version of LeaveGroup with an array of members. */
const leaveByEntryVersion = 3
const assignorName = 'range'

export class GroupSession {
  readonly #cluster: Cluster
  readonly #options: GroupSessionOptions
  readonly #membership: GroupMembership
  /**
   * A lane of its own: a JoinGroup response waits for all members, and would delay other requests.
   */
  readonly #lane: string
  #timer: Timer | undefined

  constructor(cluster: Cluster, options: GroupSessionOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#membership = new GroupMembership(options)
    this.#lane = cluster.newLane(`group ${options.groupId}`)
  }

  /** Whether this member is in the current generation; otherwise it must `join`. */
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
   * Joins the next generation of the group and returns the assignment. Retries without a limit;
   * fails with a KafkaError that is not retriable.
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

  /** Returns the committed offsets of the assigned partitions. */
  async committed(assignment: Assignment): Promise<Map<string, Map<number, number>>> {
    return await this.#cluster.retrying(this.#options.sessionTimeoutMs, () =>
      fetchCommittedOffsets(this.#cluster, this.#options.groupId, assignment, this.#lane),
    )
  }

  /** Commits next offsets, by topic and partition. Fails with a KafkaError after a rebalance. */
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
      // Without a generation, the coordinator of a group that is empty by now would accept the
      // offsets as those of a client without a group, over later ones of other members.
      if (generationId < 0) throw new KafkaError(ErrorCode.illegalGeneration, this.#options.groupId)
      const request = { ...this.#member, generationIdOrMemberEpoch: generationId, memberId, topics }
      const answer = await this.#ask(offsetCommit, request)
      for (const { errorCode: code } of answer.topics.flatMap(({ partitions }) => partitions)) {
        if (code === ErrorCode.none) continue
        // The group was removed, without members and offsets, and this member with it.
        const isGone = code === ErrorCode.groupIdNotFound
        const errorCode = isGone ? ErrorCode.unknownMemberId : code
        this.#noteCoordinator(errorCode)
        this.#membership.commitRefused(errorCode)
        throw new KafkaError(errorCode, `commit of ${this.#options.groupId}`)
      }
    })
  }

  /** Leaves the group, so that its partitions are reassigned before the session times out. */
  async leave(): Promise<void> {
    this.#timer?.cancel()
    const { memberId } = this.#membership
    try {
      if (memberId !== '') await this.#sendLeave(memberId)
    } catch (error) {
      // Best effort: the coordinator removes the member when its session times out.
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

  /** Returns undefined when the member must join again at once; throws otherwise. */
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

  /** Assigns the partitions of all subscribed topics, as the leader of the group. */
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
      // Any failure counts as a lost heartbeat; the membership decides when the session has
      // expired.
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

/** A leader may send an empty buffer to a member without partitions. */
function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return new Map()
  const { assignedPartitions } = consumerProtocolAssignment.decode(bytes)
  return new Map(assignedPartitions.map(({ topic, partitions }) => [topic, partitions]))
}
