// A clock for the deadlines of clients: a session or a transaction expires when nothing was heard from
// its client in time. After the process itself stood still (SIGSTOP, a suspended machine, a long
// computation) nothing was heard from anybody, though their requests are in the sockets. A timer that is
// late because of that fires again after a grace, in which those requests are handled.

import type { Clock, Timer } from './clock.ts'

/** Garbage collection and usual requests delay the event loop for less. */
const lateMs = 500
const graceMs = 2000
/** An event loop that is always late must not keep sessions from expiring at all. */
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
