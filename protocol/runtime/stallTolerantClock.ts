// A clock for deadlines of others: when they expire, somebody who was not heard of is given up. After
// the process itself stood still (SIGSTOP, a suspended machine, a long computation) everybody was not
// heard of, though what they sent lies in the sockets. Timers that notice this by being late fire
// again after a grace, in which what lies there is handled.

import type { Clock, Timer } from './clock.ts'

/** Garbage collection and large requests hold the event loop up for less. */
const lateMs = 500
const graceMs = 2000
/** An event loop that is always late must not keep the dead alive for ever. */
const mostGraces = 10

/** The same time, with timers that know whether they are late. */
export function stallTolerant(clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, callback) => new TolerantTimer(clock, delayMs, callback),
  }
}

class TolerantTimer implements Timer {
  readonly #clock: Clock
  readonly #callback: () => void
  #graces = 0
  #timer: Timer

  constructor(clock: Clock, delayMs: number, callback: () => void) {
    this.#clock = clock
    this.#callback = callback
    this.#timer = this.#set(delayMs)
  }

  cancel(): void {
    this.#timer.cancel()
  }

  #set(delayMs: number): Timer {
    const dueMs = this.#clock.monotonicMs() + delayMs
    return this.#clock.setTimer(delayMs, () => {
      const isLate = this.#clock.monotonicMs() - dueMs >= lateMs
      if (isLate && this.#graces++ < mostGraces) this.#timer = this.#set(graceMs)
      else this.#callback()
    })
  }
}
