// An encoded value held in memory, by the thousands. A short one is held as a string with one
// character per byte: V8 needs up to 300 bytes for a typed array beside its content, and a Buffer
// from the pool would keep the pool's whole 8 KiB in memory.

export type HeldValue = string | Uint8Array

/** Buffers larger than this never come from the pool. */
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
