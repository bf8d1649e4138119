// The state of a stateful operator in one partition, as the operator sees it while a batch runs:
// values by key, and timers ordered by time. All reads and writes belong to the transaction of the
// batch, which commits exactly once, however often the batch or its tasks are retried.

/** Event time is the watermark of the batch; processing time is its nominal time. */
export type TimeDomain = 'event' | 'processing'

/** A timer is identified by all of its fields: setting it twice has no further effect. */
export interface StateTimer {
  readonly domain: TimeDomain
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  /** Encoded (see encodeKey). */
  readonly key: string
  /** Distinguishes timers of one key that have different meanings for their operator; 0 to 255. */
  readonly tag: number
}

export interface KeyedState {
  /**
   * Whether no batch has run on this partition of the state, so that initial states must be added
   * now.
   */
  readonly isNew: boolean
  /** Reads the values of keys into memory. `get` requires that a key was loaded or set. */
  load(keys: Iterable<string>): Promise<void>
  /**
   * Returns a fresh copy of the value of a key that was loaded or set in this batch; undefined when
   * it has none. Keys are encoded (see encodeKey), and may be parts of keys (see partOf).
   */
  get(key: string): unknown
  /** Throws InvalidStateError when the operator's codec cannot encode the value. */
  set(key: string, value: unknown): void
  delete(key: string): void
  setTimer(timer: StateTimer): void
  deleteTimer(timer: StateTimer): void
  /**
   * Removes and returns timers at or before `untilMs`, at most `limit`, ordered by time, key and
   * tag, including those set in this batch. Loads the values of their keys.
   */
  takeTimers(domain: TimeDomain, untilMs: number, limit: number): Promise<readonly StateTimer[]>
}

/** The outputs of an operator for one batch, by name: `main`, `late`. Plain values. */
export type StateOutputs = Readonly<Record<string, readonly unknown[]>>
