// The dispatcher shares one thread among the actors that have work: round robin, a bounded number
// of messages at a time. After a bounded time it yields to the event loop, or two actors that keep
// each other busy would starve the sockets and timers of the process.

import type { Scheduler } from '../runtime/scheduling/scheduler.ts'
import type { Clock } from '../runtime/time/clock.ts'

export interface Runnable {
  /**
   * Handles at most `limit` messages; returns how many. Must call `schedule` again when there is
   * more to do.
   */
  run(limit: number): number
}

/** Messages that an actor handles before the next actor runs. */
const messagesPerRun = 64
/** How long actors may hold the thread before the event loop runs. */
const turnMs = 10
/** The same limit in messages, for a clock that stands still during a turn. */
const messagesPerTurn = 100_000
/** The shortest timer; not 0, so that simulated time advances however busy the actors are. */
const pauseMs = 1

export class Dispatcher {
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  #line: Runnable[] = []
  /** A turn is running or scheduled. */
  #isArmed = false

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock
    this.#scheduler = scheduler
  }

  /** Adds an actor to the end of the line. It must not be in the line already. */
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
        // Actors that this round did not reach come before those added meanwhile.
        this.#line = round.slice(at + 1).concat(this.#line)
        this.#clock.setTimer(pauseMs, this.#turn)
        return
      }
    }
    this.#isArmed = false
  }
}
