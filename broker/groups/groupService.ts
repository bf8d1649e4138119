// The group coordinators of this broker: routes a request to the shard of its group's partition,
// and loads and resigns shards as the leadership of __consumer_offsets moves. Decides nothing about
// groups. Refuses groups that are coordinated elsewhere with NOT_COORDINATOR, and groups whose
// partition is being loaded with COORDINATOR_LOAD_IN_PROGRESS. The memory for members and the
// number of groups are bounded across all shards.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { stallTolerant } from '../../protocol/runtime/time/stallTolerantClock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { type CoordinatorQueues, queuesOf } from '../coordinators/coordinatorQueues.ts'
import { CoordinatorRuntime } from '../coordinators/coordinatorRuntime.ts'
import type { TransactionalOffsets } from '../coordinators/transactionalOffsets.ts'
import type { Refusal } from '../coordinators/waitingRequests.ts'
import type { ClassicGroup } from './classic/classicGroup.ts'
import type { ConsumerGroup } from './consumer/consumerGroup.ts'
import {
  type HeartbeatOutcome,
  type HeartbeatRequest,
  refused,
} from './consumer/heartbeatRequest.ts'
import type { TopicCatalog } from './consumer/topicCatalog.ts'
import type { Group } from './group.ts'
import type { CoordinatorLimits, GroupEvent } from './groupCoordinator.ts'
import type { GroupLog } from './groupLog.ts'
import { type JoinOutcome, joinError, type SyncOutcome, syncError } from './groupOutcome.ts'
import type {
  Committer,
  JoinRequest,
  MemberIdentity,
  OffsetToCommit,
  SyncRequest,
} from './groupRequests.ts'
import { GroupShard } from './groupShard.ts'
import { MemberBudget } from './memberBudget.ts'
import type { GroupOffsets } from './offsets/groupOffsets.ts'
import type { OffsetPartition } from './offsets/offsetCoordinator.ts'
import type { TransactionalCommit } from './offsets/transactionalCommit.ts'

export interface GroupServiceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: GroupLog
  readonly limits: CoordinatorLimits
  readonly catalog: TopicCatalog
  /** Interval between checks for expired offsets, in ms. */
  readonly offsetsRetentionCheckIntervalMs: number
  /** Returns a unique member id that starts with the prefix. */
  readonly newMemberId: (prefix: string) => string
  readonly rarePoints?: RarePoints | undefined
}

export class GroupService implements TransactionalOffsets {
  readonly #options: GroupServiceOptions
  readonly #runtime: CoordinatorRuntime<GroupShard>
  readonly #budget: MemberBudget
  #expiryTimer: Timer | undefined

  constructor(options: GroupServiceOptions) {
    this.#options = options
    const { clock, log, limits } = options
    this.#budget = new MemberBudget(limits.maxMemberBytes)
    const dependencies = {
      ...options,
      deadlineClock: stallTolerant(clock),
      budget: this.#budget,
      isFull: () => this.#size >= limits.maxGroups,
    }
    this.#runtime = new CoordinatorRuntime({
      partitions: log,
      newShard: (leadership) => new GroupShard(leadership, dependencies),
      load: (shard, partition, isWanted) => log.load(partition, shard.reader, isWanted),
      onLoadFailed: (partition, error) => {
        options.logger.error({ error, partition }, 'failed to load the groups of a partition')
      },
    })
    this.#runtime.start()
    this.#scheduleExpiry()
  }

  /** Opens the service: loads the groups of every partition that this broker leads. */
  static async open(options: GroupServiceOptions): Promise<GroupService> {
    const service = new GroupService(options)
    try {
      await service.#runtime.loadAll()
    } catch (error) {
      await service.close()
      throw error
    }
    return service
  }

  // Leadership

  /**
   * Takes over the leadership of a partition from this epoch on. Resolves when its groups are
   * loaded.
   */
  async load(partition: number, leaderEpoch: number): Promise<void> {
    await this.#runtime.load(partition, leaderEpoch)
  }

  /** Loads and resigns partitions after the leadership in the metadata has changed. */
  follow(): void {
    this.#runtime.follow()
  }

  /** Resigns the leadership of a partition: another broker leads it from this epoch on. */
  resign(partition: number, leaderEpoch: number): void {
    this.#runtime.resign(partition, leaderEpoch)
  }

  /**
   * Returns the error code with which requests for the group are refused; 0 when this broker
   * coordinates it.
   */
  coordinatorError(groupId: string): number {
    return this.#runtime.errorOf(groupId)
  }

  /** Whether a partition is being loaded. Lists of groups are incomplete meanwhile. */
  get isLoading(): boolean {
    return this.#runtime.isLoading
  }

  // Membership

  /** Joins a group. Resolves when the group's next generation begins, or at once with an error. */
  join(groupId: string, request: JoinRequest): Promise<JoinOutcome> {
    return this.#request(
      groupId,
      (error) => joinError(error, request.memberId),
      (requestId) => ({ type: 'join', requestId, groupId, request }),
    )
  }

  /** Fetches a member's assignment. Resolves when the leader's assignment is durable. */
  sync(groupId: string, request: SyncRequest): Promise<SyncOutcome> {
    return this.#request(groupId, syncError, (requestId) => ({
      ...{ type: 'sync', requestId, groupId, request },
    }))
  }

  async heartbeat(
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): Promise<number> {
    const [errorCode] = await this.#request(groupId, one, (requestId) => ({
      ...{ type: 'heartbeat', requestId, groupId, identity, generationId },
    }))
    return errorCode!
  }

  /**
   * Handles a heartbeat of the consumer protocol (KIP-848). Resolves when all state that the answer
   * reports is durable.
   */
  consumerHeartbeat(groupId: string, request: HeartbeatRequest): Promise<HeartbeatOutcome> {
    return this.#request(groupId, refusedHeartbeat, (requestId) => ({
      ...{ type: 'consumerHeartbeat', requestId, groupId, request },
    }))
  }

  /** Removes members from a group. Resolves with an error code for each. */
  leave(groupId: string, members: readonly MemberIdentity[]): Promise<readonly number[]> {
    return this.#request(groupId, forEach(members), (requestId) => ({
      ...{ type: 'leave', requestId, groupId, members },
    }))
  }

  /** Asks the members of a classic group to rejoin. Returns false for an empty or unknown group. */
  rebalance(groupId: string): boolean {
    const shard = this.#find(groupId)
    const group = shard?.coordinator.classicGroup(groupId)
    if (!group || group.isEmpty) return false
    shard!.handle({ type: 'rebalance', groupId })
    return true
  }

  // Offsets

  /**
   * Commits offsets. Resolves with an error code for each, when those that are admitted are
   * durable.
   */
  commit(
    groupId: string,
    committer: Committer,
    offsets: readonly OffsetToCommit[],
  ): Promise<readonly number[]> {
    return this.#request(groupId, forEach(offsets), (requestId) => ({
      ...{ type: 'commit', requestId, groupId, committer, offsets },
    }))
  }

  /** Returns the partition of __consumer_offsets for the group. Creates the topic if necessary. */
  async partitionOf(groupId: string): Promise<number> {
    const { log } = this.#options
    await log.ensure()
    return log.partitionOf(groupId)
  }

  /**
   * Commits offsets within a transaction. Resolves with an error code for each, once they are
   * durable.
   */
  commitInTransaction(commit: TransactionalCommit): Promise<readonly number[]> {
    return this.#request(commit.groupId, forEach(commit.offsets), (requestId) => ({
      ...{ type: 'commitInTransaction', requestId, commit },
    }))
  }

  completeTransaction(partition: number, producerId: number, isCommitted: boolean): void {
    this.#runtime.whenActive(partition, (shard) =>
      shard.handle({ type: 'transactionEnded', producerId, isCommitted }),
    )
  }

  /**
   * Returns 0 when the caller may fetch the group's offsets. Callers that name no member pass null
   * and -1.
   */
  admitOffsetFetch(groupId: string, memberId: string | null, memberEpoch: number): number {
    const shard = this.#runtime.shardOf(groupId)
    if (typeof shard === 'number') return shard
    return shard.coordinator.offsets.admitFetch(groupId, memberId, memberEpoch)
  }

  offsets(groupId: string): GroupOffsets | undefined {
    return this.#find(groupId)?.coordinator.offsets.of(groupId)
  }

  /**
   * Returns the group's offsets once no append of the group is in flight any more: a consumer that
   * takes over a partition must not miss the last commit of the previous owner (KIP-447).
   */
  async settledOffsets(groupId: string): Promise<GroupOffsets | undefined> {
    await this.#find(groupId)?.groupSettled(groupId)
    return this.offsets(groupId)
  }

  admitOffsetDelete(groupId: string): number {
    const shard = this.#runtime.shardOf(groupId)
    return typeof shard === 'number' ? shard : shard.coordinator.offsets.admitDelete(groupId)
  }

  /**
   * Deletes committed offsets. Resolves with an error code for each, when the deletion is durable.
   */
  deleteOffsets(
    groupId: string,
    partitions: readonly OffsetPartition[],
  ): Promise<readonly number[]> {
    return this.#request(groupId, forEach(partitions), (requestId) => ({
      ...{ type: 'deleteOffsets', requestId, groupId, partitions },
    }))
  }

  /**
   * Removes the offsets that groups of this broker committed for a deleted topic. Resolves with an
   * error code.
   */
  async forgetTopic(topic: string): Promise<number> {
    // If this were reported as done, the deletion of the topic would never be repeated.
    if (this.#runtime.isClosed || this.#runtime.isLoading) return ErrorCode.notCoordinator
    const removals = [...this.#runtime.shards()].map((shard) =>
      shard.request<readonly number[]>(one, (requestId) => ({
        ...{ type: 'forgetTopic', requestId, topic },
      })),
    )
    const codes = (await Promise.all(removals)).flat()
    return codes.find((code) => code !== ErrorCode.none) ?? ErrorCode.none
  }

  // Administration

  classicGroup(groupId: string): ClassicGroup | undefined {
    return this.#find(groupId)?.coordinator.classicGroup(groupId)
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    return this.#find(groupId)?.coordinator.consumerGroup(groupId)
  }

  groups(): Group[] {
    const groups: Group[] = []
    for (const { coordinator } of this.#runtime.shards()) {
      for (const group of coordinator.groups()) groups.push(group)
    }
    return groups
  }

  /** The memory for the metadata of the members of all groups, in bytes. */
  get memberMemory(): { readonly takenBytes: number; readonly maxBytes: number } {
    return this.#budget
  }

  /** Requests that are not answered yet, and appends in flight, over all shards. */
  get queues(): CoordinatorQueues {
    return queuesOf(this.#runtime.shards())
  }

  async deleteGroup(groupId: string): Promise<number> {
    const [errorCode] = await this.#request(groupId, one, (requestId) => ({
      ...{ type: 'deleteGroup', requestId, groupId },
    }))
    return errorCode!
  }

  /** Refuses pending requests of members, and waits for the appends in flight. */
  async close(): Promise<void> {
    this.#expiryTimer?.cancel()
    await this.#runtime.close()
  }

  get #size(): number {
    let size = 0
    for (const { coordinator } of this.#runtime.shards()) size += coordinator.size
    return size
  }

  #find(groupId: string): GroupShard | undefined {
    const shard = this.#runtime.shardOf(groupId)
    return typeof shard === 'number' ? undefined : shard
  }

  #request<Outcome>(
    groupId: string,
    refusal: Refusal<Outcome>,
    eventOf: (requestId: number) => GroupEvent,
  ): Promise<Outcome> {
    const shard = this.#runtime.shardOf(groupId)
    if (typeof shard === 'number') return Promise.resolve(refusal(shard))
    return shard.request(refusal, eventOf)
  }

  #scheduleExpiry(): void {
    const { clock, offsetsRetentionCheckIntervalMs } = this.#options
    this.#expiryTimer = clock.setTimer(offsetsRetentionCheckIntervalMs, () => {
      const wallClockMs = clock.nowMs()
      for (const shard of this.#runtime.shards())
        shard.handle({ type: 'expireOffsets', wallClockMs })
      this.#scheduleExpiry()
    })
  }
}

function one(errorCode: number): readonly number[] {
  return [errorCode]
}

function forEach(items: readonly unknown[]): Refusal<readonly number[]> {
  return (errorCode) => items.map(() => errorCode)
}

function refusedHeartbeat(errorCode: number): HeartbeatOutcome {
  return refused({
    errorCode,
    message: 'This broker is not the coordinator of the group. Find the coordinator, and retry.',
  })
}
