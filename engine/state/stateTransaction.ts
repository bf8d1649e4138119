// The changes of one batch to a state, in bytes. Before `commit`, only reads of the transaction see
// its writes. Cost is proportional to the keys and timers that the batch touches, all of which are
// held in memory.

import { assert } from '../../protocol/runtime/assert.ts'
import { keyGroupCount } from '../keys/keyGroup.ts'
import { bytesOf, type HeldValue, held, isSameValue } from './heldValue.ts'
import type { StateTimer, TimeDomain } from './keyedState.ts'
import type { StateChange, StateReader } from './stateDatabase.ts'
import { groupOf, timerKey, valueKeyIn } from './stateLayout.ts'
import { StateGrowth } from './stateSize.ts'
import type { StateSize } from './stateVersion.ts'
import { TimerWrites } from './timerWrites.ts'
import type { CachePart } from './valueCache.ts'

/** The changes of a batch. */
export interface StateChanges {
  readonly changes: StateChange[]
  /** The previous value of each changed entry; null for an entry that did not exist. */
  readonly before: readonly (HeldValue | null)[]
  /** Lower bound of each domain's timers after the changes. */
  readonly firstTimerMs: Record<TimeDomain, number>
  /** Change in the size of the state. */
  readonly growth: StateSize
}

/** The part of a store that its transaction uses. */
export interface TransactionBase {
  readonly batchId: number
  readonly isNew: boolean
  /** Must not change during the transaction. */
  readonly reader: StateReader
  readonly cache: CachePart
  /** Lower bound of each domain's timers. */
  readonly firstTimerMs: Readonly<Record<TimeDomain, number>>
  /** Writes the changes, if there are any. */
  commit(changes: () => Promise<StateChanges>): Promise<void>
}

/**
 * A key that the batch has read or written, with its change. One small object each, as a batch may
 * touch very many: buffers are created on demand, because they take several times the size of their
 * content.
 */
class TouchedKey {
  readonly name: string
  readonly group: number
  /** The value before the batch: null for none, undefined until it is read. */
  before: HeldValue | null | undefined = undefined
  /** The value after the batch: null when deleted, undefined when not written. */
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

  /** The key in the database. */
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

  /** Returns the bytes of a key that was loaded or written. They must not be changed. */
  get(key: string): Uint8Array | undefined {
    this.#requireOpen()
    const touched = this.#touched.get(key)
    const value = touched && (touched.after === undefined ? touched.before : touched.after)
    assert(value !== undefined, 'a key of a state must be loaded before it is read')
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
   * Makes the writes durable as the state of this batch. If they change nothing, nothing is written
   * and the batch creates no version, unless it is the first one. Ends the transaction, even when
   * it fails.
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

  /** Drops the writes. No effect after the transaction has ended. */
  abandon(): void {
    this.#isOver = true
  }

  async #changes(): Promise<StateChanges> {
    const changes: StateChange[] = []
    const before: (HeldValue | null)[] = []
    // A key may be written without being read; its previous value is still needed for the undo
    // record.
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
    // Neighbouring keys share a block of LevelDB, which is then read and decompressed once.
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
    assert(!this.#isOver, `the state transaction of batch ${this.batchId} has ended`)
  }
}

/** In database order, except within a group, which spans few blocks. */
function sortedByGroup(unread: readonly TouchedKey[]): TouchedKey[] {
  const groups: TouchedKey[][] = Array.from({ length: keyGroupCount }, () => [])
  for (const touched of unread) groups[touched.group]!.push(touched)
  return groups.flat()
}

const fewKeys = 16
/**
 * Values arrive as short-lived buffers; few at a time, so that the garbage collector frees them
 * young.
 */
const keysAtOnce = 4096
const noBytes = new Uint8Array()
