// A view: a small keyed result that the driver collects in each batch and shows to people. Results
// for programs belong in a topic.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import { excerpt } from '../userCode.ts'

/** Options of a view. */
export interface ViewOptions {
  /** Title on the page; the view's name by default. */
  readonly title?: string
  /** `bar`, the default: a bar per key. `share`: each key's share of the total. */
  readonly chart?: 'bar' | 'share'
  /** Labels of keys on the page; a key without a label is shown as it is. */
  readonly labels?: Readonly<Record<string, string>>
}

/** True is shown as 1 and false as 0. */
export type ViewNumber = number | bigint | boolean

/** Returns the number to show for a value. */
export interface ViewValue<K extends Key, V> {
  /** Returns the number to show for a value. */
  readonly value: (value: V, key: K) => ViewNumber
}

export interface ViewRows {
  readonly rows: [key: string, value: number][]
  /** A key whose value is not a finite number and cannot be shown, if any. */
  readonly unshown: string | undefined
}

/**
 * Returns the rows of a view for its stream's elements. Throws VIEW_INVALID for values that are not
 * numbers.
 */
export function viewRows(name: string, elements: readonly unknown[]): ViewRows {
  const shown: Pair<Key, number>[] = []
  let unshown: string | undefined
  for (const element of elements) {
    const [key, value] = Array.isArray(element)
      ? (element as unknown as Pair<Key, unknown>)
      : [name, element]
    const number = shownNumber(name, key, value)
    if (Number.isFinite(number)) shown.push([key, number])
    else unshown ??= String(key)
  }
  return { rows: sortedRows(shown), unshown }
}

function shownNumber(view: string, key: Key, value: unknown): number {
  const isNumber =
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
  if (isNumber) return Number(value)
  const problem = `view '${view}' shows numbers, but got ${value === null ? 'null' : `a value of type ${typeof value}`}`
  const advice = 'give the view { value: (value) => number }, or map the stream to [key, number]'
  throw new EngineError(
    'VIEW_INVALID',
    `${problem} at key ${excerpt(String(key))}: ${advice}`,
    undefined,
    `${problem}: ${advice}`,
  )
}

/** Rows sorted by key: numbers numerically, all others as text. */
export function sortedRows(pairs: readonly Pair<Key, number>[]): [key: string, value: number][] {
  return pairs
    .map(([key, value]): [string, number] => [key === null ? '' : String(key), value])
    .sort(([one], [other]) => compareKeys(one, other))
}

function compareKeys(one: string, other: string): number {
  const byNumber = one === '' || other === '' ? Number.NaN : Number(one) - Number(other)
  if (byNumber) return byNumber
  return one < other ? -1 : one > other ? 1 : 0
}
