// How the rows of a window become its value. Values are made where the rows are read and come together
// where the state of the key is; so a window costs one value and not its rows.

import { requirePlainElements } from '../executor/plainResults.ts'
import type { Key } from '../rdd/key.ts'
import type { LateRow, TimedRow } from './eventTime.ts'
import { copyOf, isObject } from './plainCopy.ts'

/** `merge` must be associative and commutative: in which order rows arrive is not known. */
export interface Aggregation<T, A> {
  /** The value of no rows: a new one each time, if `add` or `merge` change it. */
  create(): A
  /** May change `value` and return it. */
  add(value: A, row: T): A
  /** May change `left` and return it. */
  merge(left: A, right: A): A
}

/** The same for aggregations and for reductions, which know no empty value. */
export interface WindowAggregate<T, A> {
  first(row: T): A
  add(value: A, row: T): A
  merge(left: A, right: A): A
  /** A value that may be changed in place of one that others hold, too. */
  own(value: A): A
}

export function aggregating<T, A>({
  create,
  add,
  merge,
}: Aggregation<T, A>): WindowAggregate<T, A> {
  let isChecked = false
  let before: A | undefined
  /** A window's value that is another one's as well would count the rows of both. */
  const requireOwn = (empty: A, changed: A) => {
    if (!isObject(empty) || changed !== empty) return
    if (empty === before) throw sharedValue()
    before = empty
  }
  const merged = (left: A, right: A) => {
    const value = merge(left, right)
    // Of `right` a map task has the original, for tasks that run again.
    return value === right ? copyOf(value) : value
  }
  return {
    first(row) {
      const empty = create()
      const value = add(empty, row)
      requireOwn(empty, value)
      // Its class would be lost on the way to the task of the key.
      if (!isChecked) requirePlainElements([value])
      isChecked = true
      return value
    },
    add,
    merge: merged,
    own(value) {
      const empty = create()
      const own = merged(empty, value)
      requireOwn(empty, own)
      return own
    },
  }
}

/**
 * `reduce` should not change its arguments. A window begins with a copy all the same: a function that does
 * change its first one, which is hard to see, would count a row in all windows that hold it, or twice when a
 * task runs again.
 */
export function reducing<T>(reduce: (left: T, right: T) => T): WindowAggregate<T, T> {
  return { first: copyOf, add: reduce, merge: reduce, own: copyOf }
}

function sharedValue(): TypeError {
  return new TypeError(
    'create() of an aggregation has returned the same object twice, and it is changed: let it make a new one each time',
  )
}

/** What a window has come to. */
export interface WindowResult<K extends Key, V> {
  readonly key: K
  /** The window has the rows from here ... */
  readonly startMs: number
  /** ... up to, and without, here. */
  readonly endMs: number
  readonly value: V
  /** 0 for the first result of a window, which comes when the watermark passes its end; then one more each time. */
  readonly revision: number
  /** Of a session that has grown: the sessions that were emitted, of which it is made, and which it replaces. */
  readonly replaces?: readonly WindowBounds[]
}

/** Beginning and end of a window. */
export interface WindowBounds {
  readonly startMs: number
  readonly endMs: number
}

/** A window as the state has it. */
export interface OpenWindow<K extends Key, V> extends WindowBounds {
  readonly key: K
  readonly value: V
  /** How many results there have been: 0 until the watermark has passed its end. */
  readonly results: number
}

/** Timers of windows, by their tags. */
export const windowTag = {
  /** At the end of a window: its result is due. */
  result: 0,
  /** At its end and the allowed lateness: it is forgotten. */
  cleanup: 1,
} as const

export function lateRow<K extends Key, T>(key: K, { timeMs, row }: TimedRow<T>): LateRow<K, T> {
  return { key, timeMs, row }
}
