// The clock of a host: its quartz drifts, and its wall clock jumps when somebody or a time service
// sets it. Monotonic time never jumps; it starts anew when the host boots.

import type { World } from './world.ts'

export interface HostClockOptions {
  /** How much faster than the world the clock runs, in parts per million; may be negative. */
  readonly driftPpm?: number
  /** How far the wall clock is ahead of the world, in ms. */
  readonly wallOffsetMs?: number
}

const roundingMs = 0.000_1
/** Wall-clock time at the start of a world. */
const startMs = Date.UTC(2026, 0, 1)

export class HostClock {
  readonly #world: World
  readonly #rate: number
  #wallOffsetMs: number
  #bootMs = 0

  constructor(world: World, { driftPpm = 0, wallOffsetMs = 0 }: HostClockOptions) {
    this.#world = world
    this.#rate = 1 + driftPpm / 1_000_000
    this.#wallOffsetMs = wallOffsetMs
  }

  /** Whole milliseconds, as Date.now(). */
  nowMs(): number {
    return Math.floor(startMs + this.#world.nowMs * this.#rate + this.#wallOffsetMs)
  }

  monotonicMs(): number {
    return (this.#world.nowMs - this.#bootMs) * this.#rate
  }

  /**
   * The time in the world until a timer of this clock fires: at least 1 ms, as in Node, and a
   * little more than asked, so that rounding never makes it fire early.
   */
  timerDelayMs(delayMs: number): number {
    return Math.max(1, delayMs) / this.#rate + roundingMs
  }

  /** Sets the wall clock, forwards or backwards. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** The host has booted. */
  reset(): void {
    this.#bootMs = this.#world.nowMs
  }
}
