// The interface to the event loop: runs tasks later in the current turn or in a later one. Passed
// in through constructors, so that a simulator decides the order of concurrently runnable tasks
// (simulatedScheduler.ts). Code above this interface must not depend on that order.

export interface Scheduler {
  /**
   * Runs `task` after the current code returns and before any I/O. The system scheduler keeps the
   * order of the calls; a simulated one may run waiting tasks in any order.
   */
  soon(task: () => void): void
  /** Runs `task` in a later turn of the event loop, after pending I/O and due timers. */
  later(task: () => void): void
  /** Resolves in a later turn of the event loop. */
  nextTurn(): Promise<void>
}

// Captured when this file is loaded, so that fake timers of a test runner do not stop a server in a
// test.
const enqueueMicrotask = queueMicrotask
const enqueueImmediate = setImmediate

/** Limit on the turns of `idle`; a program that exceeds it is in an endless loop. */
const maxTurns = 100_000

/** The event loop of this thread. */
class EventLoopScheduler implements Scheduler {
  #pendingTurns = 0

  /** Number of tasks that wait for a later turn. */
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
   * Resolves when no microtask is queued and no task waits for a later turn. Does not wait for I/O
   * and timers. For programs whose clock, disk and network are in memory.
   */
  async idle(): Promise<void> {
    for (let turn = 0; turn < maxTurns; turn++) {
      await new Promise((resolve) => void enqueueImmediate(resolve))
      if (this.#pendingTurns === 0) return
    }
    throw new Error(
      `not idle after ${maxTurns} turns of the event loop: a task is in an endless loop`,
    )
  }

  readonly #run = (task: () => void): void => {
    this.#pendingTurns--
    task()
  }
}

export const systemScheduler = new EventLoopScheduler()
