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

  readonly #run = (task: () => void): void => {
    this.#pendingTurns--
    task()
  }
}

export const systemScheduler = new EventLoopScheduler()
