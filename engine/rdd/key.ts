// Keys: what reduceByKey, joins and state group by. Only values that `Map` compares by content may
// be keys, because two equal objects would silently be two groups.

export type Key = string | number | boolean | null

/** A hash that is the same in every process and release: it decides where a key's state lives. */
export function hashKey(key: Key): number {
  if (typeof key === 'string') return hashString(key)
  if (typeof key === 'number') {
    return Number.isInteger(key) && Math.abs(key) < 2 ** 31 ? key : hashString(String(key))
  }
  if (key === true) return 1
  return 0
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
  return key === null ? 'z' : key ? 'bt' : 'bf'
}

export function decodeKey(stored: string): Key {
  switch (stored[0]) {
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
