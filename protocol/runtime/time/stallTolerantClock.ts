// A clock for the deadlines of clients: a session or transaction expires when its client sends no
// request in time. After a stall of the process (SIGSTOP, a suspended host, a long computation),
// requests of live clients are still unread in the sockets. A timer that is late because of a stall
// is therefore set again, for a grace period in which these requests are processed.

import type { Clock, Timer } from './clock.ts'

/**
 * Delay that counts as a stall; garbage collection and usual requests delay the event loop less.
 */
const lateMs = 500
const graceMs = 2000
/**
 * Limit on the grace periods of a timer: sessions must also expire when the event loop is always
 * late.
 */
const maxGraces = 10

/**
 * Returns a clock with the same time, whose timers fire only after a grace period when they are
 * late.
 */
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
      if (isLate && this.#graces++ < maxGraces) this.#timer = this.#set(graceMs)
      else this.#callback()
    })
  }
}
