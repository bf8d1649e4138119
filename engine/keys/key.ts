// Keys of reduceByKey, joins and state. Only values that `Map` compares by content may be keys; two
// equal objects would silently be two groups.

/** A key of rows, states and views. */
export type Key = string | number | boolean | null

/**
 * Returns a hash that is the same in every process and release: it determines the partition of a
 * key's state.
 */
export function hashKey(key: Key): number {
  if (typeof key === 'string') return hashString(key)
  if (typeof key === 'number') {
    return Number.isInteger(key) && Math.abs(key) < 2 ** 31 ? key : hashString(String(key))
  }
  if (key === true) return 1
  if (key === null || key === false) return 0
  throw noKey(key)
}

/** FNV-1a over the UTF-16 code units, as a signed 32-bit integer. */
function hashString(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return hash | 0
}

/** Encodes a key as the string under which a state stores it; `decodeKey` is the inverse. */
export function encodeKey(key: Key): string {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'number') return Object.is(key, -0) ? 'n0' : `n${key}`
  if (typeof key === 'boolean') return key ? 'bt' : 'bf'
  if (key === null) return 'z'
  throw noKey(key)
}

/** For values that the compiler missed, behind an `any`: all of them would be the same key. */
function noKey(key: never): TypeError {
  const given = (key as unknown) === undefined ? 'undefined' : `a value of type ${typeof key}`
  return new TypeError(
    `a key must be a string, a number, a boolean or null, not ${given}; convert it in keyBy or map`,
  )
}

/**
 * Names a part of a key: an entry stored beside the key's value. It belongs to the group of its key
 * and moves with it, but is not listed or read as a key of the state.
 */
export function partOf(key: string, part: number): string {
  return `${partMark}${part}:${key}`
}

/** Returns the encoded key and the part; undefined for the name of a key. */
export function partNamed(stored: string): { key: string; part: number } | undefined {
  if (stored[0] !== partMark) return undefined
  const end = stored.indexOf(':')
  return { key: stored.slice(end + 1), part: Number(stored.slice(1, end)) }
}

/** No encoded key starts with it. */
const partMark = 'p'

/** Decodes a key or, for the name of a part, the key of the part. */
export function decodeKey(stored: string): Key {
  switch (stored[0]) {
    case partMark:
      return decodeKey(stored.slice(stored.indexOf(':') + 1))
    case 's':
      return stored.slice(1)
    case 'n':
      return Number(stored.slice(1))
    case 'b':
      return stored === 'bt'
    default:
      return null
  }
}
