// The running attempts of tasks: their start, and a timer that reports attempts over the time
// limit. Without the limit, a task that never ends blocks its job silently.

import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { operatorOf, type Stage } from './stage.ts'

/** One attempt, as shown in a status. */
export interface RunningAttempt {
  readonly stage: string
  readonly operator: string
  readonly partition: number
  readonly executor: number
  /** 1 for the first. */
  readonly attempt: number
  readonly sinceMs: number
}

interface Attempt extends RunningAttempt {
  readonly launchedMonotonicMs: number
  readonly timer: Timer | undefined
}

export class TaskAttempts {
  /** Time limit of an attempt, in ms; undefined for no limit. */
  readonly limitMs: number | undefined
  readonly #clock: Clock
  readonly #onLate: (taskId: number) => void
  /** Attempts by task id, and so in order of launch. */
  readonly #attempts = new Map<number, Attempt>()
  #whenIdle: PromiseWithResolvers<void> | undefined
  #isClosed = false

  constructor(clock: Clock, limitMs: number | undefined, onLate: (taskId: number) => void) {
    this.#clock = clock
    this.limitMs = limitMs
    this.#onLate = onLate
  }

  /** Returns the number of the attempt, 1 for the first. */
  launched(taskId: number, executor: number, stage: Stage, partition: number): number {
    const { limitMs } = this
    const failed = (stage.failures.get(partition) ?? 0) + (stage.losses.get(partition) ?? 0)
    if (this.#isClosed) return failed + 1
    this.#attempts.set(taskId, {
      stage: stage.id,
      operator: operatorOf(stage),
      partition,
      executor,
      attempt: failed + 1,
      sinceMs: this.#clock.nowMs(),
      launchedMonotonicMs: this.#clock.monotonicMs(),
      timer:
        limitMs === undefined
          ? undefined
          : this.#clock.setTimer(limitMs, () => this.#onLate(taskId)),
    })
    return failed + 1
  }

  ended(taskId: number): void {
    this.#attempts.get(taskId)?.timer?.cancel()
    this.#attempts.delete(taskId)
    if (this.#attempts.size > 0) return
    this.#whenIdle?.resolve()
    this.#whenIdle = undefined
  }

  /** Resolves when no attempt is running. */
  idle(): Promise<void> {
    if (this.#attempts.size === 0) return Promise.resolve()
    this.#whenIdle ??= Promise.withResolvers<void>()
    return this.#whenIdle.promise
  }

  /** Returns the tasks that were running on the executor. */
  executorLost(executor: number): number[] {
    const lost = [...this.#attempts].filter(([, attempt]) => attempt.executor === executor)
    for (const [taskId] of lost) this.ended(taskId)
    return lost.map(([taskId]) => taskId)
  }

  /** Drops all attempts and ignores later ones: a timer must not outlive the driver. */
  close(): void {
    this.#isClosed = true
    for (const taskId of this.#attempts.keys()) this.ended(taskId)
  }

  /** The executor's tasks that have reached the limit. */
  late(executor: number): number[] {
    const sinceMs = this.#clock.monotonicMs() - (this.limitMs ?? Infinity)
    return [...this.#attempts]
      .filter(([, attempt]) => attempt.executor === executor)
      .filter(([, attempt]) => attempt.launchedMonotonicMs <= sinceMs)
      .map(([taskId]) => taskId)
  }

  running(): RunningAttempt[] {
    return [...this.#attempts.values()].map(
      ({ stage, operator, partition, executor, attempt, sinceMs }) => {
        return { stage, operator, partition, executor, attempt, sinceMs }
      },
    )
  }
}
