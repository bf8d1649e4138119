// An encoded value as it is held in memory, by the thousands. A short one is held as a text with a character
// for each byte: V8 takes up to 300 bytes for a typed array beside its own, and one of Buffer's pool would
// keep all of the pool's 8 KiB.

export type HeldValue = string | Uint8Array

/** Buffer takes larger ones out of no pool. */
const mostTextBytes = 4096

export function held(bytes: Uint8Array): HeldValue {
  if (bytes.length > mostTextBytes) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

export function bytesOf(value: HeldValue): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : value
}

export function isSameValue(one: HeldValue | null, other: HeldValue | null): boolean {
  if (one === other) return true
  if (typeof one === 'string' || typeof other === 'string' || !one || !other) return false
  return one.length === other.length && Buffer.compare(one, other) === 0
}
