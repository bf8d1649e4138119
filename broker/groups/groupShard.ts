// The driver of one partition's group coordinator (groupCoordinator.ts, which states the contract)
// under one leader epoch: gives it the time, writes its records, sets its timers, and answers its
// requests. Decides nothing. After a resignation, the results of appends in flight are dropped: the
// coordinator of the next epoch reads their outcome from the log.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import { type Clock, sleep, type Timer } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { CoordinatorShard } from '../coordinators/coordinatorRuntime.ts'
import type { Appended, CoordinatorLeadership } from '../coordinators/coordinatorTopic.ts'
import { type Refusal, WaitingRequests } from '../coordinators/waitingRequests.ts'
import {
  type CoordinatorDependencies,
  GroupCoordinator,
  type GroupEvent,
} from './groupCoordinator.ts'
import type { GroupLog, GroupLogReader } from './groupLog.ts'
import type { CoordinatorEffect } from './groupRegistry.ts'
import type { GroupReplay } from './groupReplay.ts'

export interface GroupShardDependencies extends CoordinatorDependencies {
  readonly clock: Clock
  /**
   * Clock of the timers: after a stall of the process they fire after the requests that arrived
   * meanwhile.
   */
  readonly deadlineClock: Clock
  readonly logger: Logger
  readonly log: Pick<GroupLog, 'append'>
  readonly rarePoints?: RarePoints | undefined
}

/** How late a result is that a simulator delays, in ms. */
const lateMs = 50

type AppendEffect = Extract<CoordinatorEffect, { type: 'append' }>

export class GroupShard implements CoordinatorShard {
  readonly leadership: CoordinatorLeadership
  readonly coordinator: GroupCoordinator
  readonly #dependencies: GroupShardDependencies
  readonly #replay: GroupReplay
  readonly #waiting = new WaitingRequests()
  readonly #timers = new Map<string, Timer>()
  /** Appends in flight, with the group id of each. */
  readonly #appends = new Map<Promise<void>, string>()
  #state: 'open' | 'closed' | 'resigned' = 'open'

  constructor(leadership: CoordinatorLeadership, dependencies: GroupShardDependencies) {
    this.leadership = leadership
    this.#dependencies = dependencies
    this.coordinator = new GroupCoordinator(dependencies)
    this.#replay = this.coordinator.replay()
  }

  get leaderEpoch(): number {
    return this.leadership.leaderEpoch
  }

  /** Requests that are not answered yet. */
  get waitingRequests(): number {
    return this.#waiting.size
  }

  get pendingWrites(): number {
    return this.#appends.size
  }

  /** Takes in the partition's log, before `activate`. */
  get reader(): GroupLogReader {
    return this.#replay
  }

  activate(): void {
    const { clock } = this.#dependencies
    this.#perform(this.coordinator.loaded(clock.monotonicMs(), clock.nowMs(), this.#replay))
  }

  handle(event: GroupEvent): void {
    this.#perform(this.coordinator.handle(this.#dependencies.clock.monotonicMs(), event))
  }

  /**
   * Sends a request to the coordinator. `refusal` makes the answer if the coordinator resigns
   * first.
   */
  request<Outcome>(
    refusal: Refusal<Outcome>,
    eventOf: (requestId: number) => GroupEvent,
  ): Promise<Outcome> {
    return this.#waiting.ask(refusal, (requestId) => this.handle(eventOf(requestId)))
  }

  /** Resolves when the appends of the group that are in flight now have ended. */
  async groupSettled(groupId: string): Promise<void> {
    const ofGroup = [...this.#appends].filter(([, of]) => of === groupId)
    await Promise.all(ofGroup.map(([append]) => append))
  }

  resign(): void {
    // Also returns the memory of the members to the budget.
    this.close()
    this.#state = 'resigned'
    this.#waiting.refuseAll(ErrorCode.notCoordinator)
  }

  close(): void {
    if (this.#state !== 'open') return
    this.handle({ type: 'closed' })
    this.#state = 'closed'
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  async settled(): Promise<void> {
    while (this.#appends.size > 0) await Promise.all(this.#appends.keys())
  }

  #perform(effects: readonly CoordinatorEffect[]): void {
    for (const effect of effects) this.#performOne(effect)
  }

  #performOne(effect: CoordinatorEffect): void {
    switch (effect.type) {
      case 'joined':
      case 'synced':
      case 'heartbeatAnswered':
        this.#waiting.answer(effect.requestId, effect.outcome)
        return
      case 'answered':
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
    const { clock, log, logger, rarePoints } = this.#dependencies
    const appended = await log
      .append(this.leadership, records, producer)
      .catch((error: unknown): Appended => {
        logger.error(
          { error, groupId },
          'failed to write records of a consumer group; its clients find the coordinator again and retry',
        )
        return { errorCode: ErrorCode.coordinatorNotAvailable, baseOffset: -1 }
      })
    if (producer && rarePoints?.isForced('offsets reported late')) await sleep(clock, lateMs)
    if (this.#state !== 'resigned') this.handle({ type: 'appended', appendId, appended })
  }

  #wakeAt(groupId: string, atMs: number): void {
    this.#timers.get(groupId)?.cancel()
    if (this.#state !== 'open') return
    const { clock, deadlineClock } = this.#dependencies
    const timer = deadlineClock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      if (this.#timers.get(groupId) === timer) this.#timers.delete(groupId)
      this.handle({ type: 'wake', groupId })
    })
    this.#timers.set(groupId, timer)
  }
}
