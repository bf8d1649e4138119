// The shell around groupCoordinator.ts: gives it the time, writes what it wants written, sets its
// timers, and answers those who wait. It decides nothing.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import { stallTolerant } from '../../protocol/runtime/stallTolerantClock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { Appended } from '../log/coordinatorTopic.ts'
import type {
  TransactionalCommit,
  TransactionalOffsets,
} from '../transactions/transactionalOffsets.ts'
import { WaitingRequests } from '../waitingRequests.ts'
import type { ClassicGroup } from './classicGroup.ts'
import type { ConsumerGroup } from './consumer/consumerGroup.ts'
import type { HeartbeatOutcome, HeartbeatRequest } from './consumer/heartbeatRequest.ts'
import type { TopicCatalog } from './consumer/topicCatalog.ts'
import type { Group } from './group.ts'
import { type CoordinatorLimits, GroupCoordinator } from './groupCoordinator.ts'
import type { GroupLog } from './groupLog.ts'
import type { GroupOffsets } from './groupOffsets.ts'
import type { JoinOutcome, SyncOutcome } from './groupOutcome.ts'
import type { CoordinatorEffect } from './groupRegistry.ts'
import type {
  Committer,
  JoinRequest,
  MemberIdentity,
  OffsetToCommit,
  SyncRequest,
} from './groupRequests.ts'

export interface GroupServiceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: GroupLog
  readonly limits: CoordinatorLimits
  readonly catalog: TopicCatalog
  /** How often it is looked for offsets that have outlived their use. */
  readonly offsetsRetentionCheckIntervalMs: number
  /** A unique member id that starts with the prefix. */
  readonly newMemberId: (prefix: string) => string
}

type AppendEffect = Extract<CoordinatorEffect, { type: 'append' }>

export class GroupService implements TransactionalOffsets {
  readonly #options: GroupServiceOptions
  /** After a stall of the process, what members have sent meanwhile goes before their deadlines. */
  readonly #deadlineClock: Clock
  readonly #coordinator: GroupCoordinator
  readonly #waiting = new WaitingRequests()
  readonly #timers = new Map<string, Timer>()
  /** Those under way, with the group that each is for. */
  readonly #appends = new Map<Promise<void>, string>()
  #expiryTimer: Timer | undefined
  #closed = false

  private constructor(options: GroupServiceOptions) {
    this.#options = options
    this.#deadlineClock = stallTolerant(options.clock)
    this.#coordinator = new GroupCoordinator(options.limits, options.newMemberId, options.catalog)
  }

  /** Replays the log. */
  static async open(options: GroupServiceOptions): Promise<GroupService> {
    const service = new GroupService(options)
    const replay = service.#coordinator.replay()
    await options.log.load({
      record: (record, producerId, logOffset) => replay.record(record, producerId, logOffset),
      endTransaction: (partition, producerId, isCommitted) =>
        replay.endTransaction(producerId, isCommitted, service.#isIn(partition)),
    })
    replay.finish(options.clock.monotonicMs(), options.clock.nowMs())
    service.#perform()
    service.#scheduleExpiry()
    return service
  }

  /** Answered when the group's next generation begins, or at once with an error. */
  join(groupId: string, request: JoinRequest): Promise<JoinOutcome> {
    return this.#request((id, nowMs) => this.#coordinator.join(nowMs, id, groupId, request))
  }

  /** Answered when the leader's assignment is durable. */
  sync(groupId: string, request: SyncRequest): Promise<SyncOutcome> {
    return this.#request((id, nowMs) => this.#coordinator.sync(nowMs, id, groupId, request))
  }

  heartbeat(groupId: string, identity: MemberIdentity, generationId: number): number {
    const errorCode = this.#coordinator.heartbeat(this.#nowMs, groupId, identity, generationId)
    this.#perform()
    return errorCode
  }

  /** Of a member that speaks the protocol of KIP-848; answered when what the answer says is durable. */
  consumerHeartbeat(groupId: string, request: HeartbeatRequest): Promise<HeartbeatOutcome> {
    return this.#request((id, nowMs) =>
      this.#coordinator.consumers.heartbeat(nowMs, id, groupId, request),
    )
  }

  /** An error code for each member. */
  leave(groupId: string, members: readonly MemberIdentity[]): number[] {
    const codes = this.#coordinator.leave(this.#nowMs, groupId, members)
    this.#perform()
    return codes
  }

  /** Has the members of a classic group join again; false when it is none, or nobody is in it. */
  rebalance(groupId: string): boolean {
    const isBegun = this.#coordinator.rebalance(this.#nowMs, groupId)
    this.#perform()
    return isBegun
  }

  /** An error code for each offset, when those that are admitted are durable. */
  commit(
    groupId: string,
    committer: Committer,
    offsets: readonly OffsetToCommit[],
  ): Promise<readonly number[]> {
    return this.#request((id, nowMs) =>
      this.#coordinator.offsets.commit(nowMs, id, groupId, committer, offsets),
    )
  }

  partitionOf(groupId: string): Promise<number> {
    return this.#options.log.partitionOf(groupId)
  }

  commitInTransaction(commit: TransactionalCommit): Promise<readonly number[]> {
    return this.#request((id) => this.#coordinator.offsets.commitInTransaction(id, commit))
  }

  completeTransaction(partition: number, producerId: number, committed: boolean): void {
    this.#coordinator.endTransaction(producerId, committed, this.#isIn(partition))
    this.#perform()
  }

  /** Whether the group's offsets may be fetched by whoever asks: null and -1 are for anybody. */
  admitOffsetFetch(groupId: string, memberId: string | null, memberEpoch: number): number {
    return this.#coordinator.offsets.admitFetch(groupId, memberId, memberEpoch)
  }

  offsets(groupId: string): GroupOffsets | undefined {
    return this.#coordinator.offsets.of(groupId)
  }

  /**
   * The same once nothing of it is being written any more: who takes a partition over must not miss
   * the last commit of the one before (KIP-447).
   */
  async settledOffsets(groupId: string): Promise<GroupOffsets | undefined> {
    const ofGroup = [...this.#appends].filter(([, of]) => of === groupId)
    await Promise.all(ofGroup.map(([append]) => append))
    return this.offsets(groupId)
  }

  admitOffsetDelete(groupId: string): number {
    return this.#coordinator.offsets.admitDelete(groupId)
  }

  /** An error code for each partition, when the deletion is durable. */
  deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<readonly number[]> {
    return this.#request((id) => this.#coordinator.offsets.delete(id, groupId, partitions))
  }

  classicGroup(groupId: string): ClassicGroup | undefined {
    return this.#coordinator.classicGroup(groupId)
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    return this.#coordinator.consumerGroup(groupId)
  }

  groups(): Group[] {
    return this.#coordinator.groups()
  }

  /** Memory for what the members of all groups say of themselves. */
  get memberMemory(): { readonly takenBytes: number; readonly maxBytes: number } {
    return this.#coordinator.memberMemory
  }

  async deleteGroup(groupId: string): Promise<number> {
    const [errorCode] = await this.#request<readonly number[]>((id) =>
      this.#coordinator.offsets.deleteGroup(id, groupId),
    )
    return errorCode!
  }

  /** Removes all offsets committed for a topic. */
  async forgetTopic(topic: string): Promise<number> {
    const [errorCode] = await this.#request<readonly number[]>((id) =>
      this.#coordinator.offsets.forgetTopic(id, topic),
    )
    return errorCode!
  }

  /** Sends away everyone who waits, and waits for the writes under way. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#coordinator.close()
    this.#perform()
    this.#closed = true
    this.#expiryTimer?.cancel()
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    await Promise.all(this.#appends.keys())
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  #isIn(partition: number): (groupId: string) => boolean {
    return (groupId) => this.#options.log.isIn(groupId, partition)
  }

  #request<Outcome>(send: (requestId: number, nowMs: number) => void): Promise<Outcome> {
    return this.#waiting.ask((requestId) => {
      send(requestId, this.#nowMs)
      this.#perform()
    })
  }

  #perform(): void {
    for (const effect of this.#coordinator.takeEffects()) this.#performOne(effect)
  }

  #performOne(effect: CoordinatorEffect): void {
    switch (effect.type) {
      case 'joined':
      case 'synced':
      case 'heartbeatAnswered':
        this.#waiting.answer(effect.requestId, effect.outcome)
        return
      case 'written':
        this.#waiting.answer(effect.requestId, effect.errorCodes)
        return
      case 'wakeAt':
        this.#wakeAt(effect.groupId, effect.atMs)
        return
      case 'append': {
        const append = this.#append(effect)
        this.#appends.set(append, effect.groupId)
        append.finally(() => this.#appends.delete(append))
        return
      }
    }
  }

  async #append({ appendId, groupId, records, producer }: AppendEffect): Promise<void> {
    const { log, logger } = this.#options
    const appended = await log
      .append(groupId, records, producer)
      .catch((error: unknown): Appended => {
        logger.error({ error, groupId }, 'group records could not be written')
        return { errorCode: ErrorCode.coordinatorNotAvailable, baseOffset: -1 }
      })
    this.#coordinator.appended(this.#nowMs, appendId, appended)
    this.#perform()
  }

  #wakeAt(groupId: string, atMs: number): void {
    this.#timers.get(groupId)?.cancel()
    if (this.#closed) return
    const timer = this.#deadlineClock.setTimer(Math.max(0, atMs - this.#nowMs), () => {
      if (this.#timers.get(groupId) === timer) this.#timers.delete(groupId)
      this.#coordinator.wake(this.#nowMs, groupId)
      this.#perform()
    })
    this.#timers.set(groupId, timer)
  }

  #scheduleExpiry(): void {
    const { clock, offsetsRetentionCheckIntervalMs } = this.#options
    this.#expiryTimer = clock.setTimer(offsetsRetentionCheckIntervalMs, () => {
      this.#coordinator.offsets.expire(clock.monotonicMs(), clock.nowMs())
      this.#perform()
      this.#scheduleExpiry()
    })
  }
}
