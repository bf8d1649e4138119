// What one batch does to a state, in bytes: reads see its own writes, nobody else sees them before
// `commit`. It costs by the keys and timers that the batch touches; all of these are in memory.

import { assert } from '../../protocol/runtime/assert.ts'
import { keyGroupCount } from '../rdd/keyGroup.ts'
import { bytesOf, type HeldValue, held, isSameValue } from './heldValue.ts'
import type { StateTimer, TimeDomain } from './keyedState.ts'
import type { StateChange, StateReader } from './stateDatabase.ts'
import { groupOf, timerKey, valueKeyIn } from './stateLayout.ts'
import { StateGrowth } from './stateSize.ts'
import type { StateSize } from './stateVersion.ts'
import { TimerWrites } from './timerWrites.ts'
import type { CachePart } from './valueCache.ts'

/** What a batch changes. */
export interface StateChanges {
  readonly changes: StateChange[]
  /** The value that each changed entry had before; null for an entry that did not exist. */
  readonly before: readonly (HeldValue | null)[]
  /** After the changes no timer of the domain is before this time. */
  readonly firstTimerMs: Record<TimeDomain, number>
  /** By how much the changes let the state grow. */
  readonly growth: StateSize
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

/**
 * A key that the batch has read or written, and its change. One object for each, as a batch may touch very
 * many: bytes are made when they are asked for, as a buffer takes several times what it holds.
 */
class TouchedKey {
  readonly name: string
  readonly group: number
  /** The value before the batch: null when there was none, undefined until it is read. */
  before: HeldValue | null | undefined = undefined
  /** The value after the batch: null when it is deleted, undefined when it was not written. */
  after: HeldValue | null | undefined = undefined

  constructor(name: string) {
    this.name = name
    this.group = groupOf(name)
  }

  get isChanged(): boolean {
    return this.after !== undefined && !isSameValue(this.before!, this.after)
  }

  get type(): 'put' | 'del' {
    return this.after === null ? 'del' : 'put'
  }

  /** In the database. */
  get key(): Buffer {
    return valueKeyIn(this.group, this.name)
  }

  get value(): Uint8Array {
    return bytesOf(this.after!)
  }
}

export class StateTransaction {
  readonly batchId: number
  readonly isNew: boolean
  readonly #base: TransactionBase
  readonly #touched = new Map<string, TouchedKey>()
  readonly #timers: TimerWrites
  #isOver = false

  constructor(base: TransactionBase) {
    this.batchId = base.batchId
    this.isNew = base.isNew
    this.#base = base
    this.#timers = new TimerWrites(base.reader, base.firstTimerMs)
  }

  /** Reads the values of keys that are not in memory yet. */
  async load(keys: Iterable<string>): Promise<void> {
    this.#requireOpen()
    const unread: TouchedKey[] = []
    for (const key of keys) {
      const touched = this.#touch(key)
      if (touched.before !== undefined) continue
      touched.before = this.#base.cache.get(key)
      if (touched.before === undefined) unread.push(touched)
    }
    await this.#read(unread)
  }

  /** The bytes of a key that was loaded or written, which must not be changed. */
  get(key: string): Uint8Array | undefined {
    this.#requireOpen()
    const touched = this.#touched.get(key)
    const value = touched && (touched.after === undefined ? touched.before : touched.after)
    assert(value !== undefined, 'a key of a state is loaded before it is read')
    return value === null ? undefined : bytesOf(value)
  }

  /** `value` must not be changed afterwards; null deletes the key. */
  put(key: string, value: Uint8Array | null): void {
    this.#requireOpen()
    this.#touch(key).after = value === null ? null : held(value)
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
   * written, and the batch makes no version, unless it is the first one. The transaction is over, however it
   * ends.
   */
  async commit(): Promise<void> {
    this.#requireOpen()
    this.#isOver = true
    await this.#base.commit(() => this.#changes())
    const { cache } = this.#base
    for (const { name, before, after } of this.#touched.values()) {
      const value = after === undefined ? before : after
      if (value === null || value === undefined) cache.delete(name)
      else cache.set(name, value)
    }
  }

  /** Drops the writes. Nothing happens when the transaction is over already. */
  abandon(): void {
    this.#isOver = true
  }

  async #changes(): Promise<StateChanges> {
    const changes: StateChange[] = []
    const before: (HeldValue | null)[] = []
    // A key may be written without being read; what undoes the batch needs its value all the same.
    const touched = [...this.#touched.values()]
    await this.#read(touched.filter((one) => one.before === undefined))
    const growth = new StateGrowth()
    for (const one of touched) {
      if (!one.isChanged) continue
      changes.push(one)
      before.push(one.before!)
      growth.change(one.name, one.before!, one.after!)
    }
    for (const { timer, isSet, wasSet } of await this.#timers.changes()) {
      if (isSet === wasSet) continue
      const key = timerKey(timer)
      changes.push(isSet ? { type: 'put', key, value: noBytes } : { type: 'del', key })
      before.push(wasSet ? noBytes : null)
    }
    const firstTimerMs = this.#timers.firstTimerMs()
    return { changes, before, firstTimerMs, growth }
  }

  #touch(key: string): TouchedKey {
    let touched = this.#touched.get(key)
    if (touched === undefined) {
      touched = new TouchedKey(key)
      this.#touched.set(key, touched)
    }
    return touched
  }

  async #read(unread: TouchedKey[]): Promise<void> {
    if (unread.length === 0) return
    // Neighbours are in one block of LevelDB, which is then read and decompressed once.
    const sorted = unread.length > fewKeys ? sortedByGroup(unread) : unread
    for (let first = 0; first < sorted.length; first += keysAtOnce) {
      const some = sorted.slice(first, first + keysAtOnce)
      const values = await this.#base.reader.getMany(some.map(({ key }) => key))
      for (const [at, touched] of some.entries()) {
        const value = values[at]
        touched.before = value === undefined ? null : held(value)
      }
    }
  }

  #requireOpen(): void {
    assert(!this.#isOver, `the state transaction of batch ${this.batchId} is over`)
  }
}

/** As they are in the database, but for the order within a group, which fits into few blocks. */
function sortedByGroup(unread: readonly TouchedKey[]): TouchedKey[] {
  const groups: TouchedKey[][] = Array.from({ length: keyGroupCount }, () => [])
  for (const touched of unread) groups[touched.group]!.push(touched)
  return groups.flat()
}

const fewKeys = 16
/** Values come as buffers, which are garbage at once: few enough at a time that they never grow old. */
const keysAtOnce = 4096
const noBytes = new Uint8Array()
