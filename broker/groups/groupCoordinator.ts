// The group coordinator of one partition of __consumer_offsets, as a state machine: an event goes
// in, effects come out. It is synchronous and must never touch a log, a clock or a timer. Times are
// monotonic milliseconds.
//
// The contract with the driver (groupShard.ts): effects are performed in the order in which they
// are returned. The batches of `append` go to the log in this order, and `appended` reports each
// one when it is durable or has failed. An answer that depends on a write is returned only after
// that report, so that no answer can be undone by a crash. The one exception is Kafka's: a classic
// generation is announced before it is written. A failed append changes nothing that was answered;
// records of consumer groups are written again with the next write. `wakeAt` asks for one `wake` of
// the group. `replay` is complete before the first event.
//
// The continuation of an append is plain data (appendStep.ts): `pending` can be printed, compared
// and saved.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { unreachable } from '../../protocol/runtime/assert.ts'
import type { Appended } from '../coordinators/coordinatorTopic.ts'
import type { PendingWork } from './appendStep.ts'
import { ClassicGroup } from './classic/classicGroup.ts'
import { ConsumerCoordinator } from './consumer/consumerCoordinator.ts'
import { ConsumerGroup } from './consumer/consumerGroup.ts'
import type { HeartbeatRequest } from './consumer/heartbeatRequest.ts'
import type { Group } from './group.ts'
import { joinError, syncError } from './groupOutcome.ts'
import {
  type CoordinatorEffect,
  GroupRegistry,
  type RegistryDependencies,
  type RegistryLimits,
} from './groupRegistry.ts'
import { GroupReplay } from './groupReplay.ts'
import type {
  Committer,
  JoinRequest,
  MemberIdentity,
  OffsetToCommit,
  SyncRequest,
} from './groupRequests.ts'
import {
  OffsetCoordinator,
  type OffsetLimits,
  type OffsetPartition,
} from './offsets/offsetCoordinator.ts'
import type { TransactionalCommit } from './offsets/transactionalCommit.ts'

export interface CoordinatorLimits extends RegistryLimits, OffsetLimits {
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

export interface CoordinatorDependencies extends RegistryDependencies {
  readonly limits: CoordinatorLimits
}

/** A request for one group, which is answered exactly once under its request id. */
interface GroupRequest<Type extends string> {
  readonly type: Type
  readonly requestId: number
  readonly groupId: string
}

export type GroupEvent =
  | (GroupRequest<'join'> & { readonly request: JoinRequest })
  | (GroupRequest<'sync'> & { readonly request: SyncRequest })
  | (GroupRequest<'heartbeat'> & {
      readonly identity: MemberIdentity
      readonly generationId: number
    })
  | (GroupRequest<'consumerHeartbeat'> & { readonly request: HeartbeatRequest })
  | (GroupRequest<'leave'> & { readonly members: readonly MemberIdentity[] })
  | (GroupRequest<'commit'> & {
      readonly committer: Committer
      readonly offsets: readonly OffsetToCommit[]
    })
  | {
      readonly type: 'commitInTransaction'
      readonly requestId: number
      readonly commit: TransactionalCommit
    }
  | (GroupRequest<'deleteOffsets'> & { readonly partitions: readonly OffsetPartition[] })
  | GroupRequest<'deleteGroup'>
  | { readonly type: 'forgetTopic'; readonly requestId: number; readonly topic: string }
  /** Asks the members of a classic group to rejoin. */
  | { readonly type: 'rebalance'; readonly groupId: string }
  /** The time of a `wakeAt` has come. */
  | { readonly type: 'wake'; readonly groupId: string }
  | { readonly type: 'expireOffsets'; readonly wallClockMs: number }
  /** An append is durable, or has failed. */
  | { readonly type: 'appended'; readonly appendId: number; readonly appended: Appended }
  /** The marker of the producer's transaction is durable in the partition. */
  | {
      readonly type: 'transactionEnded'
      readonly producerId: number
      readonly isCommitted: boolean
    }
  /**
   * The coordinator ends: members with pending requests are answered to find another coordinator.
   */
  | { readonly type: 'closed' }

type EventOf<Type> = Extract<GroupEvent, { type: Type }>

export class GroupCoordinator {
  /** The queries of offsets. */
  readonly offsets: Pick<OffsetCoordinator, 'of' | 'admitFetch' | 'admitDelete'>
  readonly #offsets: OffsetCoordinator
  readonly #consumers: ConsumerCoordinator
  readonly #limits: CoordinatorLimits
  readonly #registry: GroupRegistry

  constructor(dependencies: CoordinatorDependencies) {
    const { limits, catalog } = dependencies
    this.#limits = limits
    this.#registry = new GroupRegistry(dependencies)
    this.#consumers = new ConsumerCoordinator(this.#registry, limits.consumer, catalog)
    this.#offsets = new OffsetCoordinator(this.#registry, limits)
    this.offsets = this.#offsets
  }

  /** Returns the replay that rebuilds the state from the log. Complete before the first event. */
  replay(): GroupReplay {
    return new GroupReplay(this.#registry)
  }

  /** Handles an event. Returns its effects in the order in which they are to be performed. */
  handle(nowMs: number, event: GroupEvent): CoordinatorEffect[] {
    this.#registry.begin(nowMs)
    this.#apply(nowMs, event)
    return this.#registry.end()
  }

  /** Ends the replay, and returns its effects. */
  loaded(nowMs: number, wallClockMs: number, replay: GroupReplay): CoordinatorEffect[] {
    this.#registry.begin(nowMs)
    replay.finish(nowMs, wallClockMs)
    return this.#registry.end()
  }

  // Queries

  classicGroup(groupId: string): ClassicGroup | undefined {
    const group = this.#registry.find(groupId)?.group
    return group instanceof ClassicGroup ? group : undefined
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    const group = this.#registry.find(groupId)?.group
    return group instanceof ConsumerGroup ? group : undefined
  }

  groups(): Iterable<Group> {
    return this.#registry.groups()
  }

  /** The number of groups. */
  get size(): number {
    return this.#registry.size
  }

  /** Returns all work in flight, as plain data. */
  pending(): PendingWork {
    return {
      appends: this.#registry.pending(),
      operations: this.#offsets.pending(),
      writes: this.#registry.pendingWrites(),
    }
  }

  // Events

  #apply(nowMs: number, event: GroupEvent): void {
    switch (event.type) {
      case 'join':
        this.#join(nowMs, event)
        break
      case 'sync':
        this.#sync(nowMs, event)
        break
      case 'heartbeat':
        this.#answer(event.requestId, [this.#heartbeat(nowMs, event)])
        break
      case 'consumerHeartbeat':
        this.#consumers.heartbeat(nowMs, event.requestId, event.groupId, event.request)
        break
      case 'leave':
        this.#leave(nowMs, event)
        break
      case 'commit': {
        const { requestId, groupId, committer, offsets } = event
        this.#offsets.commit(nowMs, requestId, groupId, committer, offsets)
        break
      }
      case 'commitInTransaction':
        this.#offsets.commitInTransaction(event.requestId, event.commit)
        break
      case 'deleteOffsets':
        this.#offsets.delete(event.requestId, event.groupId, event.partitions)
        break
      case 'deleteGroup':
        this.#offsets.deleteGroup(event.requestId, event.groupId)
        break
      case 'forgetTopic':
        this.#offsets.forgetTopic(event.requestId, event.topic)
        break
      case 'rebalance':
        this.#rebalance(nowMs, event.groupId)
        break
      case 'wake':
        this.#wake(nowMs, event.groupId)
        break
      case 'expireOffsets':
        this.#offsets.expire(nowMs, event.wallClockMs)
        break
      case 'appended':
        this.#appended(event.appendId, event.appended)
        break
      case 'transactionEnded':
        this.#registry.endTransaction(event.producerId, event.isCommitted)
        break
      case 'closed':
        this.#close()
        break
      default:
        unreachable(event)
    }
  }

  #join(nowMs: number, { requestId, groupId, request }: EventOf<'join'>): void {
    const error = this.#refuseJoin(groupId, request)
    if (error !== ErrorCode.none) {
      const outcome = joinError(error, request.memberId)
      this.#registry.effect({ type: 'joined', requestId, outcome })
      return
    }
    const entry = this.#registry.findOrCreate(groupId)
    this.#consumers.makeClassicIfEmpty(entry)
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
    // Member ids are given out only by groups that exist.
    if (memberId !== '') return ErrorCode.unknownMemberId
    return this.#registry.isFull ? ErrorCode.groupMaxSizeReached : ErrorCode.none
  }

  #sync(nowMs: number, { requestId, groupId, request }: EventOf<'sync'>): void {
    const entry = this.#registry.find(groupId)
    if (!entry) {
      const outcome = syncError(unknownGroup(groupId))
      this.#registry.effect({ type: 'synced', requestId, outcome })
      return
    }
    entry.group.sync(nowMs, requestId, request)
    this.#registry.settle(entry)
  }

  #heartbeat(nowMs: number, { groupId, identity, generationId }: EventOf<'heartbeat'>): number {
    const entry = this.#registry.find(groupId)
    if (!entry) return unknownGroup(groupId)
    const errorCode = entry.group.heartbeat(nowMs, identity, generationId)
    // A heartbeat in a classic group only postpones deadlines: the timer that is set is early
    // enough.
    if (entry.group.type === 'consumer') this.#registry.settle(entry)
    return errorCode
  }

  #leave(nowMs: number, { requestId, groupId, members }: EventOf<'leave'>): void {
    const entry = this.#registry.find(groupId)
    if (!entry) {
      const unknown = unknownGroup(groupId)
      this.#answer(
        requestId,
        members.map(() => unknown),
      )
      return
    }
    this.#answer(requestId, entry.group.leave(nowMs, members))
    this.#registry.settle(entry)
  }

  #rebalance(nowMs: number, groupId: string): void {
    const entry = this.#registry.find(groupId)
    if (!(entry?.group instanceof ClassicGroup)) return
    entry.group.rebalance(nowMs)
    this.#registry.settle(entry)
  }

  #wake(nowMs: number, groupId: string): void {
    const entry = this.#registry.find(groupId)
    if (!entry) return
    entry.wakeAtMs = Number.POSITIVE_INFINITY
    entry.group.tick(nowMs)
    this.#registry.settle(entry)
  }

  #close(): void {
    for (const entry of this.#registry.all()) {
      entry.group.end(ErrorCode.notCoordinator)
      this.#registry.collect(entry)
    }
  }

  #appended(appendId: number, appended: Appended): void {
    const { entry, step } = this.#registry.takeAppend(appendId)
    const { errorCode } = appended
    if (step.type === 'offsets') {
      this.#offsets.written(entry, appendId, step, appended)
    } else {
      const isDurable = errorCode === ErrorCode.none
      if (isDurable && entry.leftoversId === step.leftoversId)
        this.#registry.setLeftovers(entry, [])
      if (step.type === 'group') this.#registry.groupWritten(entry, step, errorCode)
      else if (step.type === 'groupRemoved') {
        this.#offsets.groupRemoved(entry, step.requestId, errorCode)
      }
    }
    this.#registry.settle(entry)
  }

  #answer(requestId: number, errorCodes: readonly number[]): void {
    this.#registry.effect({ type: 'answered', requestId, errorCodes })
  }
}

function unknownGroup(groupId: string): number {
  return groupId === '' ? ErrorCode.invalidGroupId : ErrorCode.unknownMemberId
}
