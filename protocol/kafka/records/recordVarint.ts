// Writes zigzag varints at an index of a buffer with enough capacity, for the record encoder's hot
// path. ByteWriter has the same encoding with bounds handling.

/** Returns the size of a 32-bit value as a varint. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Returns the size of a safe integer as a varint. */
export function varlongBytes(value: number): number {
  if (value === (value | 0)) return varintBytes(value)
  let count = 1
  for (let rest = Math.floor(magnitude(value) / 0x40); rest > 0; count++) {
    rest = Math.floor(rest / 0x80)
  }
  return count
}

/** Writes a 32-bit value; returns the index after it. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  bytes[at++] = zigzag
  return at
}

/** Writes a safe integer; returns the index after it. */
export function writeVarlong(bytes: Buffer, at: number, value: number): number {
  if (value === (value | 0)) return writeVarint(bytes, at, value)
  // Doubling a safe integer may exceed 2^53, so the sign is combined with the lowest six bits only.
  const size = magnitude(value)
  let rest = Math.floor(size / 0x40)
  let byte = ((size % 0x40) << 1) | (value < 0 ? 1 : 0)
  while (rest > 0) {
    bytes[at++] = byte | 0x80
    byte = rest % 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[at++] = byte
  return at
}

/** The number that zigzag doubles. */
function magnitude(value: number): number {
  return value < 0 ? -value - 1 : value
}
