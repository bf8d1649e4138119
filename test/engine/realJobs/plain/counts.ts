// Plain counts in one thread, without the engine.

import type { Arrival, Line } from '../inputs/arrival.ts'
import { isLine } from './eventTime.ts'

export type Counts = readonly (readonly [key: string, count: number])[]

/** Counts the occurrences of each key, sorted by key as the test kit shows views. */
export function countsOf(keys: Iterable<string>): Counts {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return byKey(counts)
}

export function byKey(counts: Iterable<readonly [string, number]>): Counts {
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1))
}

export function sumOf(counts: Counts): number {
  return counts.reduce((sum, [, count]) => sum + count, 0)
}

export function linesOf<Row>(arrived: readonly Arrival<Row>[]): Line<Row>[] {
  return arrived.filter(isLine)
}
