// When work that is not I/O goes on: later in this turn, or in a later turn of the event loop. A thing that is
// handed in, so that a simulator decides the order of what is ready at the same time.

export interface Scheduler {
  /** Runs `task` after the code that runs now and all that was queued before it; in the order of the calls. */
  soon(task: () => void): void
  /** Resolves in a later turn of the event loop: what else is due goes first. */
  nextTurn(): Promise<void>
}

/** Taken when this file is loaded: fake timers of test runners do not stop a server inside somebody's test. */
const takeUpSoon = queueMicrotask
const takeUpLater = setImmediate

/** The machine's event loop. */
export const systemScheduler: Scheduler = {
  soon: (task) => takeUpSoon(task),
  nextTurn: () => new Promise((resolve) => void takeUpLater(resolve)),
}
