// The timers that one batch sets, deletes and takes, on top of the committed ones.

import type { StateTimer, TimeDomain } from './keyedState.ts'
import type { StateReader } from './stateDatabase.ts'
import { timerKey, timerOf, timersFrom } from './stateLayout.ts'

export interface TimerChange {
  readonly timer: StateTimer
  /** Whether the timer is set after the batch. */
  readonly isSet: boolean
  /** Whether the timer was set before the batch. */
  readonly wasSet: boolean
}

interface TimerWrite {
  readonly key: Buffer
  readonly timer: StateTimer
  isSet: boolean
  /** Undefined until it is looked up. */
  wasSet: boolean | undefined
}

export class TimerWrites {
  readonly #reader: StateReader
  /** By the timer's encoded key, as a string. */
  readonly #writes = new Map<string, TimerWrite>()
  /** Writes with `isSet`: a batch may take a great many timers, a few at a time. */
  readonly #set = new Set<TimerWrite>()
  readonly #committed: Readonly<Record<TimeDomain, CommittedTimers>>

  /** `firstTimerMs`: lower bound of each domain's committed timers. */
  constructor(reader: StateReader, firstTimerMs: Readonly<Record<TimeDomain, number>>) {
    this.#reader = reader
    this.#committed = {
      event: new CommittedTimers('event', firstTimerMs.event),
      processing: new CommittedTimers('processing', firstTimerMs.processing),
    }
  }

  put(timer: StateTimer, isSet: boolean): void {
    const key = timerKey(timer)
    const name = key.toString('latin1')
    let write = this.#writes.get(name)
    if (write === undefined) {
      write = { key, timer: { ...timer }, isSet, wasSet: undefined }
      this.#writes.set(name, write)
    }
    this.#change(write, isSet)
  }

  /** Returns timers in key order, and deletes them. */
  async take(domain: TimeDomain, untilMs: number, limit: number): Promise<readonly StateTimer[]> {
    const due: TimerWrite[] = []
    for (const write of this.#set) {
      const { timer } = write
      if (timer.domain === domain && timer.timeMs <= untilMs) due.push(write)
    }
    const untouched = (key: Buffer) => !this.#writes.has(key.toString('latin1'))
    const committed = this.#committed[domain]
    for (const key of await committed.read(this.#reader, untilMs, limit, untouched)) {
      due.push({ key, timer: timerOf(key), isSet: true, wasSet: true })
    }
    due.sort((one, other) => Buffer.compare(one.key, other.key))
    const taken = due.slice(0, limit)
    for (const write of taken) {
      this.#writes.set(write.key.toString('latin1'), write)
      this.#change(write, false)
    }
    return taken.map(({ timer }) => timer)
  }

  /** Returns every touched timer, including those that did not change. */
  async changes(): Promise<TimerChange[]> {
    const writes = [...this.#writes.values()]
    const unknown = writes.filter(({ wasSet }) => wasSet === undefined)
    if (unknown.length > 0) {
      const values = await this.#reader.getMany(unknown.map(({ key }) => key))
      for (const [at, write] of unknown.entries()) write.wasSet = values[at] !== undefined
    }
    return writes.map(({ timer, isSet, wasSet }) => ({ timer, isSet, wasSet: wasSet! }))
  }

  /** Lower bound of each domain's timers once this batch is committed. */
  firstTimerMs(): Record<TimeDomain, number> {
    const untouched = (key: Buffer) => !this.#writes.has(key.toString('latin1'))
    const first = {
      event: this.#committed.event.firstMs(untouched),
      processing: this.#committed.processing.firstMs(untouched),
    }
    for (const { timer } of this.#set) {
      first[timer.domain] = Math.min(first[timer.domain], timer.timeMs)
    }
    return first
  }

  #change(write: TimerWrite, isSet: boolean): void {
    write.isSet = isSet
    if (isSet) this.#set.add(write)
    else this.#set.delete(write)
  }
}

/**
 * The committed timers of a domain, in order; each is read once. The read position is kept: taken
 * timers leave tombstones in LevelDB, and skipping all of them in every batch would cost as much as
 * all timers of earlier batches.
 */
class CommittedTimers {
  readonly #domain: TimeDomain
  /** Lower bound of the untouched timers. */
  #firstMs: number
  /** Timers read, and possibly not taken yet. */
  #read: Buffer[] = []
  /** The position after the last timer read; undefined to start at the lower bound. */
  #next: Buffer | undefined

  constructor(domain: TimeDomain, firstMs: number) {
    this.#domain = domain
    this.#firstMs = firstMs
  }

  /** The time of the first timer that may be left. */
  firstMs(isUntouched: (key: Buffer) => boolean): number {
    const left = this.#read.find(isUntouched)
    return left === undefined ? this.#firstMs : timerOf(left).timeMs
  }

  /** Returns at most `limit` timers at or before `untilMs` that the batch has not touched. */
  async read(
    reader: StateReader,
    untilMs: number,
    limit: number,
    isUntouched: (key: Buffer) => boolean,
  ): Promise<readonly Buffer[]> {
    this.#read = this.#read.filter(isUntouched)
    if (this.#firstMs <= untilMs && this.#read.length < limit) {
      await this.#readOn(reader, untilMs, limit, isUntouched)
    }
    const due = this.#read.findIndex((key) => timerOf(key).timeMs > untilMs)
    return this.#read.slice(0, due < 0 ? limit : Math.min(due, limit))
  }

  async #readOn(
    reader: StateReader,
    untilMs: number,
    limit: number,
    isUntouched: (key: Buffer) => boolean,
  ): Promise<void> {
    const range = timersFrom(this.#domain, this.#next ?? this.#firstMs)
    for await (const group of reader.entries(range, groupSize)) {
      for (const [bytes] of group) {
        const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        this.#firstMs = timerOf(key).timeMs
        this.#next = Buffer.concat([key, Buffer.from([0])])
        if (isUntouched(key)) this.#read.push(key)
      }
      if (this.#firstMs > untilMs || this.#read.length >= limit) return
    }
    this.#firstMs = Number.POSITIVE_INFINITY
  }
}

/** Timers per read from the database. */
const groupSize = 256
