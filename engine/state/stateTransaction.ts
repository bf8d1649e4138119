// What one batch does to a state, in bytes: reads see its own writes, nobody else sees them before
// `commit`. It costs by the keys and timers that the batch touches; all of these are in memory.

import { assert } from '../../protocol/runtime/assert.ts'
import type { StateTimer, TimeDomain } from './keyedState.ts'
import type { StateChange, StateReader } from './stateDatabase.ts'
import { timerKey, valueKey } from './stateLayout.ts'
import { TimerWrites } from './timerWrites.ts'
import type { UndoEntry } from './undo.ts'
import type { CachePart } from './valueCache.ts'

/** What a batch changes, and what was there before. */
export interface StateChanges {
  readonly changes: readonly StateChange[]
  readonly undo: readonly UndoEntry[]
  /** After the changes no timer of the domain is before this time. */
  readonly firstTimerMs: Record<TimeDomain, number>
}

/** What a transaction needs of its store. */
export interface TransactionBase {
  readonly batchId: number
  readonly isNew: boolean
  /** Does not change while the transaction lasts. */
  readonly reader: StateReader
  readonly cache: CachePart
  /** No timer of the domain is before this time. */
  readonly firstTimerMs: Readonly<Record<TimeDomain, number>>
  /** Writes the changes, if there are any. */
  commit(changes: () => Promise<StateChanges>): Promise<void>
}

export class StateTransaction {
  readonly batchId: number
  readonly isNew: boolean
  readonly #base: TransactionBase
  /** Values before the batch, of the keys that were loaded; null where there is none. */
  readonly #loaded = new Map<string, Uint8Array | null>()
  readonly #writes = new Map<string, Uint8Array | null>()
  readonly #timers: TimerWrites
  #isOver = false

  constructor(base: TransactionBase) {
    this.batchId = base.batchId
    this.isNew = base.isNew
    this.#base = base
    this.#timers = new TimerWrites(base.reader, base.firstTimerMs)
  }

  /** Reads the values of keys that are not in memory yet, all at once. */
  async load(keys: Iterable<string>): Promise<void> {
    this.#requireOpen()
    const { cache, reader } = this.#base
    const missing = new Set<string>()
    for (const key of keys) {
      if (this.#loaded.has(key)) continue
      const cached = cache.get(key)
      if (cached === undefined) missing.add(key)
      else this.#loaded.set(key, cached)
    }
    if (missing.size === 0) return
    const wanted = [...missing]
    const values = await reader.getMany(wanted.map(valueKey))
    for (const [at, key] of wanted.entries()) {
      const value = values[at]
      this.#loaded.set(key, value ?? null)
      if (value !== undefined) cache.set(key, value)
    }
  }

  /** The bytes of a key that was loaded or written, which must not be changed. */
  get(key: string): Uint8Array | undefined {
    this.#requireOpen()
    const written = this.#writes.get(key)
    if (written !== undefined) return written ?? undefined
    const loaded = this.#loaded.get(key)
    assert(loaded !== undefined, 'a key of a state is loaded before it is read')
    return loaded ?? undefined
  }

  /** `value` must not be changed afterwards; null deletes the key. */
  put(key: string, value: Uint8Array | null): void {
    this.#requireOpen()
    this.#writes.set(key, value)
  }

  setTimer(timer: StateTimer): void {
    this.#requireOpen()
    this.#timers.put(timer, true)
  }

  deleteTimer(timer: StateTimer): void {
    this.#requireOpen()
    this.#timers.put(timer, false)
  }

  /** See KeyedState.takeTimers. */
  async takeTimers(
    domain: TimeDomain,
    untilMs: number,
    limit: number,
  ): Promise<readonly StateTimer[]> {
    this.#requireOpen()
    const timers = await this.#timers.take(domain, untilMs, limit)
    await this.load(timers.map(({ key }) => key))
    return timers
  }

  /**
   * Makes the writes durable as the state of this batch, unless they change nothing: then nothing is
   * written, and the batch makes no version. The transaction is over, however it ends.
   */
  async commit(): Promise<void> {
    this.#requireOpen()
    this.#isOver = true
    await this.#base.commit(() => this.#changes())
    const { cache } = this.#base
    for (const [key, value] of this.#writes) {
      if (value === null) cache.delete(key)
      else cache.set(key, value)
    }
  }

  /** Drops the writes. Nothing happens when the transaction is over already. */
  abandon(): void {
    this.#isOver = true
  }

  async #changes(): Promise<StateChanges> {
    const changes: StateChange[] = []
    const undo: UndoEntry[] = []
    const change = (key: Uint8Array, before: Uint8Array | null, after: Uint8Array | null) => {
      if (after === null ? before === null : before !== null && sameBytes(before, after)) return
      changes.push(after === null ? { type: 'del', key } : { type: 'put', key, value: after })
      undo.push([key, before])
    }
    await this.#loadWritten()
    for (const [key, value] of this.#writes) change(valueKey(key), this.#loaded.get(key)!, value)
    for (const { timer, isSet, wasSet } of await this.#timers.changes()) {
      change(timerKey(timer), wasSet ? noBytes : null, isSet ? noBytes : null)
    }
    return { changes, undo, firstTimerMs: this.#timers.firstTimerMs() }
  }

  /** A key may be written without being read; what undoes the batch needs its value all the same. */
  async #loadWritten(): Promise<void> {
    const unknown = [...this.#writes.keys()].filter((key) => !this.#loaded.has(key))
    if (unknown.length === 0) return
    const values = await this.#base.reader.getMany(unknown.map(valueKey))
    for (const [at, key] of unknown.entries()) this.#loaded.set(key, values[at] ?? null)
  }

  #requireOpen(): void {
    assert(!this.#isOver, `the state transaction of batch ${this.batchId} is over`)
  }
}

const noBytes = new Uint8Array()

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0
}
