// Shares one thread among the actors that have something to do: each in turn, a few messages at a
// time, so that none waits long for another. After a while it lets go of the thread altogether, or
// two actors that keep each other busy would starve the sockets and timers of the process.

import type { Clock } from '../runtime/clock.ts'
import type { Scheduler } from '../runtime/scheduler.ts'

export interface Runnable {
  /**
   * Handles at most `limit` messages; returns how many. It must put itself in line again when it has
   * more to do.
   */
  run(limit: number): number
}

/** Messages an actor handles before it is the next one's turn. */
const messagesPerRun = 64
/** How long actors may hold the thread before everything else gets a turn. */
const turnMs = 10
/** The same in messages, for a clock that stands still while a turn runs. */
const messagesPerTurn = 100_000
/** The shortest timer there is; not 0, so that simulated time moves on however busy actors are. */
const pauseMs = 1

export class Dispatcher {
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  #line: Runnable[] = []
  /** A turn is running or sure to come. */
  #isArmed = false

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock
    this.#scheduler = scheduler
  }

  /** Puts an actor in line; it must not stand there already. */
  schedule(runnable: Runnable): void {
    this.#line.push(runnable)
    if (this.#isArmed) return
    this.#isArmed = true
    this.#scheduler.soon(this.#turn)
  }

  readonly #turn = (): void => {
    const endMs = this.#clock.monotonicMs() + turnMs
    let budget = messagesPerTurn
    while (this.#line.length > 0) {
      const round = this.#line
      this.#line = []
      for (let at = 0; at < round.length; at++) {
        budget -= round[at]!.run(messagesPerRun)
        if (budget > 0 && this.#clock.monotonicMs() < endMs) continue
        // Who was not served in this round comes before who asked meanwhile.
        this.#line = round.slice(at + 1).concat(this.#line)
        this.#clock.setTimer(pauseMs, this.#turn)
        return
      }
    }
    this.#isArmed = false
  }
}
