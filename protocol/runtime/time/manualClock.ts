// A clock that a test advances. Timers fire in the order of their due times, equal ones in the
// order in which they were set. Never reads the system clock.

import { systemScheduler } from '../scheduling/scheduler.ts'
import type { Clock, Timer } from './clock.ts'

interface ManualTimer extends Timer {
  readonly dueMs: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  #monotonicMs = 0
  /** Wall-clock time minus monotonic time, in ms. */
  #wallOffsetMs: number
  /** Sorted by due time; timers with equal due times in the order of `setTimer`. */
  readonly #timers: ManualTimer[] = []

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = startMs
  }

  nowMs(): number {
    return this.#wallOffsetMs + this.#monotonicMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#monotonicMs + Math.max(0, delayMs)
    const timer: ManualTimer = { dueMs, callback, cancel: () => this.#remove(timer) }
    const after = this.#timers.findIndex((other) => other.dueMs > dueMs)
    this.#timers.splice(after === -1 ? this.#timers.length : after, 0, timer)
    return timer
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  /** Time until the next timer is due, in ms; undefined without a timer. */
  get nextTimerInMs(): number | undefined {
    const next = this.#timers[0]
    return next && next.dueMs - this.#monotonicMs
  }

  /** Sets the wall clock, forwards or backwards, without an effect on monotonic time and timers. */
  setWallClock(nowMs: number): void {
    this.#wallOffsetMs = nowMs - this.#monotonicMs
  }

  /** Advances time and fires due timers, including timers that their callbacks set. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms
    while (this.#fireNext(untilMs));
    this.#monotonicMs = untilMs
  }

  /** Advances time as during a stall of the process: due timers fire late, at its end. */
  stall(ms: number): void {
    this.#monotonicMs += ms
    while (this.#fireNext(this.#monotonicMs));
  }

  /**
   * Like `advance`, but awaits `settle` before the first timer, after each one and at the end, so
   * that a loop over `await sleep(clock, ...)` iterates as often as in real time.
   */
  async advanceAndSettle(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms
    await settle()
    while (this.#fireNext(untilMs)) await settle()
    this.#monotonicMs = untilMs
    await settle()
  }

  #fireNext(untilMs: number): boolean {
    const next = this.#timers[0]
    if (!next || next.dueMs > untilMs) return false
    this.#timers.shift()
    this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs)
    next.callback()
    return true
  }

  #remove(timer: ManualTimer): void {
    const at = this.#timers.indexOf(timer)
    if (at !== -1) this.#timers.splice(at, 1)
  }
}

/**
 * Resolves when no task is runnable. An in-memory program then continues only by timers of its
 * manual clock, or by pending operations of an in-memory disk or network. Does not wait for real
 * files, sockets or threads: tests with these wait for a condition.
 */
export function settle(): Promise<void> {
  return systemScheduler.idle()
}
