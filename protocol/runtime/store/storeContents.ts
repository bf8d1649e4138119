// The contents of a key-value store in memory: keys and values as latin1 strings, whose order is
// byte order. Plain state: copies are snapshots, and equal histories give equal contents.

import type { KeyRange, KeyValueChange, KeyValueEntry } from './keyValueStore.ts'

export type StoreContents = Map<string, string>

export function valuesOf(
  contents: StoreContents,
  keys: readonly Uint8Array[],
): (Buffer | undefined)[] {
  return keys.map((key) => {
    const value = contents.get(textOf(key))
    return value === undefined ? undefined : bytesOf(value)
  })
}

/** Yields the entries of the range as of the first call, in groups of at most `atOnce`. */
export function* entriesOf(
  contents: StoreContents,
  { from, until }: KeyRange,
  atOnce: number,
): Generator<readonly KeyValueEntry[], void> {
  const [first, end] = [textOf(from), textOf(until)]
  const seen = [...contents].filter(([key]) => first <= key && key < end)
  seen.sort(([one], [other]) => (one < other ? -1 : 1))
  for (let at = 0; at < seen.length; at += atOnce) {
    const group = seen.slice(at, at + atOnce)
    yield group.map(([key, value]): KeyValueEntry => [bytesOf(key), bytesOf(value)])
  }
}

/** Applies the changes in their order. */
export function applyChanges(contents: StoreContents, changes: readonly KeyValueChange[]): void {
  for (const change of changes) {
    if (change.type === 'put') contents.set(textOf(change.key), textOf(change.value))
    else contents.delete(textOf(change.key))
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
