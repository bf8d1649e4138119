// What a stateful operator sees of its state in one partition while a batch runs: values by key, and
// timers in the order of their times. Everything is read and written inside the transaction of the batch,
// which commits once, however often the batch or its tasks run again.

/** Event time runs by the watermark of the batch; processing time by the nominal time of the batch. */
export type TimeDomain = 'event' | 'processing'

/** A timer is identified by all of its fields: setting it twice is setting it once. */
export interface StateTimer {
  readonly domain: TimeDomain
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  /** Encoded (see encodeKey). */
  readonly key: string
  /** Tells the timers of one key apart that mean different things to their operator; 0 to 255. */
  readonly tag: number
}

export interface KeyedState {
  /** Whether no batch has run on this partition of the state: initial states belong in now. */
  readonly isNew: boolean
  /** Reads the values of keys into memory. `get` may be called for these, and for keys that were set. */
  load(keys: Iterable<string>): Promise<void>
  /**
   * A fresh copy of the value of a key that was loaded or set in this batch; undefined when there is none.
   * Keys are encoded (see encodeKey), and may be parts of keys (see partOf).
   */
  get(key: string): unknown
  /** Throws InvalidStateError when the operator's codec cannot keep the value. */
  set(key: string, value: unknown): void
  delete(key: string): void
  setTimer(timer: StateTimer): void
  deleteTimer(timer: StateTimer): void
  /**
   * Removes and returns the timers at or before `untilMs`, at most `limit` of them, by time, then key,
   * then tag; those set in this batch included. The values of their keys are loaded.
   */
  takeTimers(domain: TimeDomain, untilMs: number, limit: number): Promise<readonly StateTimer[]>
}

/** What an operator emits in a batch, by the name of the output: `main`, `late`. Plain values. */
export type StateOutputs = Readonly<Record<string, readonly unknown[]>>
