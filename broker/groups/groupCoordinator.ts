// All groups of one coordinator, as a state machine: finds the group a request is for and the rules
// that depend on the group being there, and says what to write and when to wake up. It never touches
// a log, a clock or a timer; groupService.ts does what the effects say. Offsets, and the protocol of
// KIP-848, have a coordinator of their own, over the same groups.
//
// Times are monotonic milliseconds.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Appended } from '../log/coordinatorTopic.ts'
import { ClassicGroup } from './classicGroup.ts'
import { ConsumerCoordinator } from './consumer/consumerCoordinator.ts'
import { ConsumerGroup } from './consumer/consumerGroup.ts'
import type { TopicCatalog } from './consumer/topicCatalog.ts'
import type { Group } from './group.ts'
import { joinError, syncError } from './groupOutcome.ts'
import { type CoordinatorEffect, GroupRegistry, type RegistryLimits } from './groupRegistry.ts'
import { GroupReplay } from './groupReplay.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'
import type { MemberBudget } from './memberBudget.ts'
import { OffsetCoordinator, type OffsetLimits } from './offsetCoordinator.ts'

export interface CoordinatorLimits extends RegistryLimits, OffsetLimits {
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

export class GroupCoordinator {
  readonly offsets: OffsetCoordinator
  readonly consumers: ConsumerCoordinator
  readonly #limits: CoordinatorLimits
  readonly #registry: GroupRegistry

  constructor(
    limits: CoordinatorLimits,
    newMemberId: (prefix: string) => string,
    catalog: TopicCatalog,
  ) {
    this.#limits = limits
    this.#registry = new GroupRegistry(limits, newMemberId, catalog)
    this.consumers = new ConsumerCoordinator(this.#registry, limits.consumer, catalog)
    this.offsets = new OffsetCoordinator(this.#registry, limits)
  }

  /** What is to be done since the last call, in this order. */
  takeEffects(): CoordinatorEffect[] {
    return this.#registry.takeEffects()
  }

  /** What rebuilds the state from the log; to be finished before the first request. */
  replay(): GroupReplay {
    return new GroupReplay(this.#registry)
  }

  // Membership

  join(nowMs: number, requestId: number, groupId: string, request: JoinRequest): void {
    const error = this.#refuseJoin(groupId, request)
    if (error !== ErrorCode.none) {
      const outcome = joinError(error, request.memberId)
      this.#registry.effect({ type: 'joined', requestId, outcome })
      return
    }
    const entry = this.#registry.findOrCreate(groupId)
    this.consumers.makeClassicIfEmpty(entry)
    entry.group.join(nowMs, requestId, request)
    this.#registry.settle(entry)
  }

  #refuseJoin(groupId: string, { memberId, sessionTimeoutMs }: JoinRequest): number {
    if (groupId === '') return ErrorCode.invalidGroupId
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#limits
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return ErrorCode.invalidSessionTimeout
    }
    if (this.#registry.find(groupId)) return ErrorCode.none
    // A member id can only have come from a group that existed.
    if (memberId !== '') return ErrorCode.unknownMemberId
    return this.#registry.isFull ? ErrorCode.groupMaxSizeReached : ErrorCode.none
  }

  sync(nowMs: number, requestId: number, groupId: string, request: SyncRequest): void {
    const entry = this.#registry.find(groupId)
    if (!entry) {
      const outcome = syncError(unknownGroup(groupId))
      this.#registry.effect({ type: 'synced', requestId, outcome })
      return
    }
    entry.group.sync(nowMs, requestId, request)
    this.#registry.settle(entry)
  }

  heartbeat(
    nowMs: number,
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): number {
    const entry = this.#registry.find(groupId)
    if (!entry) return unknownGroup(groupId)
    const errorCode = entry.group.heartbeat(nowMs, identity, generationId)
    // In a classic group this only moves deadlines away: the timer that is set is early enough.
    if (entry.group.type === 'consumer') this.#registry.settle(entry)
    return errorCode
  }

  /** An error code for each member. */
  leave(nowMs: number, groupId: string, members: readonly MemberIdentity[]): number[] {
    const entry = this.#registry.find(groupId)
    if (!entry) return members.map(() => unknownGroup(groupId))
    const codes = entry.group.leave(nowMs, members)
    this.#registry.settle(entry)
    return codes
  }

  /** Has the members of a classic group join again; false when it is none, or nobody is in it. */
  rebalance(nowMs: number, groupId: string): boolean {
    const entry = this.#registry.find(groupId)
    if (!(entry?.group instanceof ClassicGroup)) return false
    const hasMembers = entry.group.rebalance(nowMs)
    this.#registry.settle(entry)
    return hasMembers
  }

  /** The time that a `wakeAt` asked for has come. */
  wake(nowMs: number, groupId: string): void {
    const entry = this.#registry.find(groupId)
    if (!entry) return
    entry.wakeAtMs = Number.POSITIVE_INFINITY
    entry.group.tick(nowMs)
    this.#registry.settle(entry)
  }

  /** The broker closes: everyone who waits is told to look for another coordinator. */
  close(): void {
    for (const entry of this.#registry.all()) {
      entry.group.end(ErrorCode.notCoordinator)
      this.#registry.collect(entry)
    }
  }

  /** The marker of the producer's transaction is durable in the partition that has these groups. */
  endTransaction(
    producerId: number,
    isCommitted: boolean,
    isInPartition: (groupId: string) => boolean,
  ): void {
    this.#registry.endTransaction(producerId, isCommitted, isInPartition)
  }

  // Administration

  classicGroup(groupId: string): ClassicGroup | undefined {
    const group = this.#registry.find(groupId)?.group
    return group instanceof ClassicGroup ? group : undefined
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    const group = this.#registry.find(groupId)?.group
    return group instanceof ConsumerGroup ? group : undefined
  }

  get memberMemory(): MemberBudget {
    return this.#registry.budget
  }

  groups(): Group[] {
    return this.#registry.all().map(({ group }) => group)
  }

  /** An append has become durable, or has failed. */
  appended(nowMs: number, appendId: number, appended: Appended): void {
    this.#registry.appended(nowMs, appendId, appended)
  }
}

function unknownGroup(groupId: string): number {
  return groupId === '' ? ErrorCode.invalidGroupId : ErrorCode.unknownMemberId
}
