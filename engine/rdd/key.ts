// Keys: what reduceByKey, joins and state group by. Only values that `Map` compares by content may
// be keys, because two equal objects would silently be two groups.

/** A key of rows, states and views. */
export type Key = string | number | boolean | null

/** A hash that is the same in every process and release: it decides where a key's state lives. */
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

/** A key as the string under which a state store keeps it; `decodeKey` is its inverse. */
export function encodeKey(key: Key): string {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'number') return Object.is(key, -0) ? 'n0' : `n${key}`
  if (typeof key === 'boolean') return key ? 'bt' : 'bf'
  if (key === null) return 'z'
  throw noKey(key)
}

/** What the compiler has not seen, behind an `any`: all such keys would be the same one. */
function noKey(key: never): TypeError {
  const given = (key as unknown) === undefined ? 'undefined' : `a value of type ${typeof key}`
  return new TypeError(
    `a key is a string, a number, a boolean or null, and not ${given}: make one of these of it in keyBy or map`,
  )
}

/**
 * The name of an entry that is a part of what a state keeps for a key: it is in the group of the key, and goes
 * where the key goes, and is no key of its own to anyone who lists or reads the state's keys.
 */
export function partOf(key: string, part: number): string {
  return `${partMark}${part}:${key}`
}

/** The encoded key and the part; undefined for the name of a key. */
export function partNamed(stored: string): { key: string; part: number } | undefined {
  if (stored[0] !== partMark) return undefined
  const end = stored.indexOf(':')
  return { key: stored.slice(end + 1), part: Number(stored.slice(1, end)) }
}

/** No encoded key begins with it. */
const partMark = 'p'

/** Of a part: the key that it is a part of. */
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
