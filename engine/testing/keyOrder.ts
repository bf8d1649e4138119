// The order of keys in tests: numbers by value, then strings, whatever partitions they come from.

import type { Key } from '../keys/key.ts'

export type { Key }

export function sortKeys<V>(entries: readonly (readonly [Key, V])[]): (readonly [Key, V])[] {
  return [...entries].sort(([one], [other]) => compareKeys(one, other))
}

function compareKeys(one: Key, other: Key): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  const left = `${typeof one} ${one}`
  const right = `${typeof other} ${other}`
  return left < right ? -1 : left > right ? 1 : 0
}
