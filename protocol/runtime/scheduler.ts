// When work that is not I/O runs: later in the current turn of the event loop, or in a later turn. Handed in
// like clock and disk, so that a simulator decides the order of what is runnable at the same time
// (simulatedScheduler.ts). Code above this interface must not depend on that order.

export interface Scheduler {
  /**
   * Runs `task` after the current code returns, before any I/O. The system's scheduler keeps the order of
   * the calls; a simulated one may run tasks that wait at the same time in any order.
   */
  soon(task: () => void): void
  /** Runs `task` in a later turn of the event loop: I/O and timers that are due run first. */
  later(task: () => void): void
  /** Resolves in a later turn of the event loop. */
  nextTurn(): Promise<void>
}

// Taken when this file is loaded: fake timers of test runners must not stop a server inside a test.
const enqueueMicrotask = queueMicrotask
const enqueueImmediate = setImmediate

/** A thread that is busy for longer never comes to rest: two parts of it keep each other going. */
const mostTurns = 100_000

/** The event loop of this thread. */
class EventLoopScheduler implements Scheduler {
  #pendingTurns = 0

  /** Tasks that wait for a later turn. Zero, with no I/O and no timer due, means that nothing is runnable. */
  get pendingTurns(): number {
    return this.#pendingTurns
  }

  soon(task: () => void): void {
    enqueueMicrotask(task)
  }

  later(task: () => void): void {
    this.#pendingTurns++
    enqueueImmediate(this.#run, task)
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => this.later(resolve))
  }

  /**
   * Resolves when nothing is runnable: no microtask is queued and no task waits for a later turn. I/O and
   * timers are not waited for. For worlds whose clock, disk and network are in memory.
   */
  async idle(): Promise<void> {
    for (let turn = 0; turn < mostTurns; turn++) {
      await new Promise((resolve) => void enqueueImmediate(resolve))
      if (this.#pendingTurns === 0) return
    }
    throw new Error(`still busy after ${mostTurns} turns of the event loop: something never waits`)
  }

  readonly #run = (task: () => void): void => {
    this.#pendingTurns--
    task()
  }
}

export const systemScheduler = new EventLoopScheduler()
