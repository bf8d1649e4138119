// The shell around groupCoordinator.ts: gives it the time, writes what it wants written, sets its
// timers, and answers those who wait. It decides nothing.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { ClassicGroup } from './classicGroup.ts'
import type { CommittedOffsets } from './committedOffsets.ts'
import {
  type CoordinatorEffect,
  type CoordinatorLimits,
  GroupCoordinator,
  type OffsetToCommit,
} from './groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from './groupOutcome.ts'
import type { GroupRecord } from './groupRecords.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'

/** Where the records of groups are kept. */
export interface GroupLog {
  load(): Promise<readonly GroupRecord[]>
  /** Resolves with a Kafka error code when durable. Appends of one group keep their order. */
  append(groupId: string, records: readonly GroupRecord[]): Promise<number>
}

export interface GroupServiceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: GroupLog
  readonly limits: CoordinatorLimits
  /** A unique member id that starts with the prefix. */
  readonly newMemberId: (prefix: string) => string
}

export class GroupService {
  readonly #options: GroupServiceOptions
  readonly #coordinator: GroupCoordinator
  readonly #waiting = new Map<number, (outcome: never) => void>()
  readonly #timers = new Map<string, Timer>()
  readonly #appends = new Set<Promise<void>>()
  #nextRequestId = 1
  #closed = false

  private constructor(options: GroupServiceOptions) {
    this.#options = options
    this.#coordinator = new GroupCoordinator(options.limits, options.newMemberId)
  }

  /** Replays the log. */
  static async open(options: GroupServiceOptions): Promise<GroupService> {
    const service = new GroupService(options)
    service.#coordinator.restore(options.clock.monotonicMs(), await options.log.load())
    service.#perform()
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
    return this.#coordinator.heartbeat(this.#nowMs, groupId, identity, generationId)
  }

  /** An error code for each member. */
  leave(groupId: string, members: readonly MemberIdentity[]): number[] {
    const codes = this.#coordinator.leave(this.#nowMs, groupId, members)
    this.#perform()
    return codes
  }

  /** An error code for each offset, when those that are admitted are durable. */
  commit(
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
    offsets: readonly OffsetToCommit[],
  ): Promise<readonly number[]> {
    return this.#request((id, nowMs) =>
      this.#coordinator.commit(nowMs, id, groupId, identity, generationId, offsets),
    )
  }

  committed(groupId: string): CommittedOffsets | undefined {
    return this.#coordinator.committed(groupId)
  }

  group(groupId: string): ClassicGroup | undefined {
    return this.#coordinator.group(groupId)
  }

  groups(): ClassicGroup[] {
    return this.#coordinator.groups()
  }

  async deleteGroup(groupId: string): Promise<number> {
    const [errorCode] = await this.#request<readonly number[]>((id) =>
      this.#coordinator.deleteGroup(id, groupId),
    )
    return errorCode!
  }

  /** Removes all offsets committed for a topic. */
  async forgetTopic(topic: string): Promise<number> {
    const [errorCode] = await this.#request<readonly number[]>((id) =>
      this.#coordinator.forgetTopic(id, topic),
    )
    return errorCode!
  }

  /** Sends away everyone who waits, and waits for the writes under way. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#coordinator.close()
    this.#perform()
    this.#closed = true
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    await Promise.all(this.#appends)
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  #request<Outcome>(send: (requestId: number, nowMs: number) => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const requestId = this.#nextRequestId++
      this.#waiting.set(requestId, resolve)
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
        this.#answer(effect.requestId, effect.outcome)
        return
      case 'written':
        this.#answer(effect.requestId, effect.errorCodes)
        return
      case 'wakeAt':
        this.#wakeAt(effect.groupId, effect.atMs)
        return
      case 'append': {
        const append = this.#append(effect.appendId, effect.groupId, effect.records)
        this.#appends.add(append)
        append.finally(() => this.#appends.delete(append))
        return
      }
    }
  }

  #answer(requestId: number, outcome: unknown): void {
    const resolve = this.#waiting.get(requestId) as ((outcome: unknown) => void) | undefined
    assert(resolve, `group request ${requestId} was answered twice`)
    this.#waiting.delete(requestId)
    resolve(outcome)
  }

  async #append(appendId: number, groupId: string, records: readonly GroupRecord[]): Promise<void> {
    const errorCode = await this.#options.log.append(groupId, records).catch((error: unknown) => {
      this.#options.logger.error({ error, groupId }, 'group records could not be written')
      return ErrorCode.kafkaStorageError
    })
    this.#coordinator.appended(this.#nowMs, appendId, errorCode)
    this.#perform()
  }

  #wakeAt(groupId: string, atMs: number): void {
    this.#timers.get(groupId)?.cancel()
    if (this.#closed) return
    const timer = this.#options.clock.setTimer(Math.max(0, atMs - this.#nowMs), () => {
      if (this.#timers.get(groupId) === timer) this.#timers.delete(groupId)
      this.#coordinator.wake(this.#nowMs, groupId)
      this.#perform()
    })
    this.#timers.set(groupId, timer)
  }
}
