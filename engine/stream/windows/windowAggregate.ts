// Aggregates the rows of a window into one value. Partial values are computed where rows are read,
// and merged where the state of the key is, so that a window stores one value and not its rows.

import type { Key } from '../../keys/key.ts'
import { requirePlainElements } from '../../rdd/plainResults.ts'
import type { LateRow, TimedRow } from '../eventTime.ts'
import { copyOf, isObject } from '../operators/plainCopy.ts'

/**
 * Functions of an aggregation. `merge` must be associative and commutative: the order of rows is
 * undefined.
 */
export interface Aggregation<T, A> {
  /** Returns the value of no rows; a new object each time, if `add` or `merge` change it. */
  create(): A
  /** May change `value` and return it. */
  add(value: A, row: T): A
  /** May change `left` and return it. */
  merge(left: A, right: A): A
}

/** The common form of aggregations and of reductions, which have no empty value. */
export interface WindowAggregate<T, A> {
  first(row: T): A
  add(value: A, row: T): A
  merge(left: A, right: A): A
  /** Returns a copy that may be changed, of a value that is shared. */
  own(value: A): A
}

export function aggregating<T, A>({
  create,
  add,
  merge,
}: Aggregation<T, A>): WindowAggregate<T, A> {
  let isChecked = false
  let before: A | undefined
  /** Two windows that share one value object would each count the rows of both. */
  const requireOwn = (empty: A, changed: A) => {
    if (!isObject(empty) || changed !== empty) return
    if (empty === before) throw sharedValue()
    before = empty
  }
  const merged = (left: A, right: A) => {
    const value = merge(left, right)
    // `right` belongs to the map task, for retries.
    return value === right ? copyOf(value) : value
  }
  return {
    first(row) {
      const empty = create()
      const value = add(empty, row)
      requireOwn(empty, value)
      // An instance of a class would lose its class on the way to the task of the key.
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
 * `reduce` should not change its arguments. Windows start with a copy anyway: a function that
 * changes its first argument, a mistake hard to notice, would count a row in all windows that
 * contain it, or twice on a retry.
 */
export function reducing<T>(reduce: (left: T, right: T) => T): WindowAggregate<T, T> {
  return { first: copyOf, add: reduce, merge: reduce, own: copyOf }
}

function sharedValue(): TypeError {
  return new TypeError(
    'create() of an aggregation returned the same object twice, and the object is changed; return a new one each time',
  )
}

/** The result of a window. */
export interface WindowResult<K extends Key, V> {
  readonly key: K
  /** Start of the window, inclusive. */
  readonly startMs: number
  /** End of the window, exclusive. */
  readonly endMs: number
  readonly value: V
  /**
   * 0 for the first result of a window, emitted when the watermark passes its end; increases with
   * each update.
   */
  readonly revision: number
  /** For a merged session: the emitted sessions that it replaces. */
  readonly replaces?: readonly WindowBounds[]
}

/** Start (inclusive) and end (exclusive) of a window. */
export interface WindowBounds {
  readonly startMs: number
  readonly endMs: number
}

/** A window in the state. */
export interface OpenWindow<K extends Key, V> extends WindowBounds {
  readonly key: K
  readonly value: V
  /** Number of results emitted; 0 until the watermark has passed its end. */
  readonly results: number
}

/** Tags of window timers. */
export const windowTag = {
  /** The timer at the end of a window: the result is due. */
  result: 0,
  /** The timer at the end plus the allowed lateness: the window is removed. */
  cleanup: 1,
} as const

export function lateRow<K extends Key, T>(key: K, { timeMs, row }: TimedRow<T>): LateRow<K, T> {
  return { key, timeMs, row }
}
