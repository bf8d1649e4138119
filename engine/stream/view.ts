// A view: a small keyed result that the driver collects in each batch and shows to people. Results
// for programs go to a topic instead.

import type { Key } from '../rdd/key.ts'
import type { Pair } from '../rdd/lineage.ts'

export interface ViewOptions {
  readonly title: string
  /** A bar for each key, or each key's share of the whole. */
  readonly chart: 'bar' | 'share'
  /** What to call a key on the page; a key without a label is called by itself. */
  readonly labels?: Readonly<Record<string, string>>
}

/** Rows by key: numbers in their order, everything else as text. */
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
