// Time as a thing that is handed in. Nothing outside protocol/runtime and the edges reads the
// machine's clock or sets its timers, so a simulator can own time (docs/ARCHITECTURE.md).

/** A pending timer. Cancelling one that has fired, or cancelling twice, does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. May jump; stored in records. */
  nowMs(): number
  /** Milliseconds from an arbitrary start; never goes back. For durations and deadlines. */
  monotonicMs(): number
  /** Calls `callback` once, no sooner than `delayMs` milliseconds from now. */
  setTimer(delayMs: number, callback: () => void): Timer
}

/** Resolves after `delayMs`, or at once when `signal` aborts; never rejects. */
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

/** setTimeout calls back after 1 ms when it is asked for more: an interval of a month would be none. */
const longestTimeoutMs = 2 ** 31 - 1

interface Timers {
  readonly set: (callback: () => void, delayMs: number) => NodeJS.Timeout
  readonly clear: (handle: NodeJS.Timeout) => void
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: timerOf({
    set: (callback, delayMs) => setTimeout(callback, delayMs),
    clear: (handle) => clearTimeout(handle),
  }),
}

/**
 * The machine's clock for a server that runs inside somebody's test: fake timers, which test runners put in
 * the place of the global functions, do not stop it.
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
      const partMs = Math.min(remainingMs, longestTimeoutMs)
      const next = partMs === remainingMs ? callback : () => wait(remainingMs - partMs)
      handle = set(next, partMs)
    }
    wait(delayMs)
    return { cancel: () => clear(handle) }
  }
}
