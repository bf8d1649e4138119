// A clock that stands still until a test moves it: the way every test waits for time. Timers fire in
// the order of their due times, and among equals in the order in which they were set. It must never
// read the machine's clock.

import type { Clock, Timer } from './clock.ts'
import { systemScheduler } from './scheduler.ts'

interface ManualTimer extends Timer {
  readonly dueMs: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  #monotonicMs = 0
  /** What separates wall-clock time from monotonic time; `setWallClock` changes it. */
  #wallOffsetMs: number
  /** In the order of due times; equals in the order of `setTimer`. */
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

  /** Milliseconds until the next timer is due; undefined when none is set. */
  get nextTimerInMs(): number | undefined {
    const next = this.#timers[0]
    return next && next.dueMs - this.#monotonicMs
  }

  /** Lets the wall clock jump, forwards or back; monotonic time and timers do not notice. */
  setWallClock(nowMs: number): void {
    this.#wallOffsetMs = nowMs - this.#monotonicMs
  }

  /** Moves time on, firing what falls due on the way, also timers set by the callbacks. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms
    while (this.#fireNext(untilMs));
    this.#monotonicMs = untilMs
  }

  /** Time moves on while the process stands still: timers that fall due meanwhile fire late, at its end. */
  stall(ms: number): void {
    this.#monotonicMs += ms
    while (this.#fireNext(this.#monotonicMs));
  }

  /**
   * As `advance`, but lets promises settle before the first timer, after each one and at the end, so
   * that a loop of `await sleep(clock, …)` goes round as often as it would in real time.
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
 * Resolves when nothing is runnable any more. Only timers of a manual clock, and whoever holds back what a disk
 * or a network in memory would do, can then bring a world in memory on. It does not wait for real files,
 * sockets or threads: a test of these waits for what they change.
 */
export function settle(): Promise<void> {
  return systemScheduler.idle()
}
