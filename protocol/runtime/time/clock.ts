// The interface to time, passed in through constructors. Only protocol/runtime and the edges read
// the system clock or set system timers, so that a simulator can control time
// (docs/ARCHITECTURE.md).

/** A pending timer. `cancel` has no effect on a timer that has fired or was cancelled. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall-clock time, in ms since the Unix epoch. May jump. For timestamps. */
  nowMs(): number
  /** Monotonic time, in ms from an arbitrary start. For durations and deadlines. */
  monotonicMs(): number
  /** Calls `callback` once, `delayMs` ms from now or later. */
  setTimer(delayMs: number, callback: () => void): Timer
}

/** Resolves after `delayMs`, or immediately when `signal` aborts; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimer(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** Limit of setTimeout, which fires after 1 ms for a longer delay; longer timers are chained. */
const maxTimeoutMs = 2 ** 31 - 1

interface Timers {
  readonly set: (callback: () => void, delayMs: number) => NodeJS.Timeout
  readonly clear: (handle: NodeJS.Timeout) => void
}

/** The system clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: timerOf({
    set: (callback, delayMs) => setTimeout(callback, delayMs),
    clear: (handle) => clearTimeout(handle),
  }),
}

/**
 * The system clock for a server that runs inside a user's test: keeps the original timer functions,
 * so that fake timers of a test runner do not stop the server.
 */
export const unfakedClock: Clock = {
  nowMs: Date.now,
  monotonicMs: performance.now.bind(performance),
  setTimer: timerOf({ set: setTimeout, clear: clearTimeout }),
}

function timerOf({ set, clear }: Timers): Clock['setTimer'] {
  return (delayMs, callback) => {
    let handle: NodeJS.Timeout
    const wait = (remainingMs: number): void => {
      const partMs = Math.min(remainingMs, maxTimeoutMs)
      const next = partMs === remainingMs ? callback : () => wait(remainingMs - partMs)
      handle = set(next, partMs)
    }
    wait(delayMs)
    return { cancel: () => clear(handle) }
  }
}
