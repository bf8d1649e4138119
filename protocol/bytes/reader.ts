// A cursor over untrusted bytes. Invariant: every length is checked against the remaining bytes
// before anything is allocated; a violation is a MalformedError, never a RangeError or a huge
// array. Integers are big-endian, as in Kafka's protocol.

import { assert } from '../runtime/assert.ts'
import { MalformedError } from './malformed.ts'
import type { MemoryAllowance } from './memoryAllowance.ts'

const twoTo32 = 2 ** 32

export class ByteReader {
  readonly bytes: Buffer
  readonly end: number
  /** Allowance that decoders charge; undefined: unlimited. */
  readonly allowance: MemoryAllowance | undefined
  /** Index of the next byte to read in `bytes`. */
  position: number

  constructor(
    bytes: Uint8Array,
    start = 0,
    end = bytes.length,
    allowance: MemoryAllowance | undefined = undefined,
  ) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'a reader must stay within its bytes')
    this.bytes = asBuffer(bytes)
    this.position = start
    this.end = end
    this.allowance = allowance
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Throws MalformedError unless at least `length` bytes remain. */
  need(length: number): void {
    if (length < 0 || length > this.end - this.position) {
      throw new MalformedError(
        `${length} bytes expected at ${this.position}, ${this.end - this.position} left`,
      )
    }
  }

  int8(): number {
    this.need(1)
    return this.bytes.readInt8(this.position++)
  }

  uint8(): number {
    this.need(1)
    return this.bytes[this.position++]!
  }

  int16(): number {
    this.need(2)
    this.position += 2
    return this.bytes.readInt16BE(this.position - 2)
  }

  uint16(): number {
    this.need(2)
    this.position += 2
    return this.bytes.readUInt16BE(this.position - 2)
  }

  int32(): number {
    this.need(4)
    this.position += 4
    return this.bytes.readInt32BE(this.position - 4)
  }

  uint32(): number {
    this.need(4)
    this.position += 4
    return this.bytes.readUInt32BE(this.position - 4)
  }

  /** A signed 64-bit integer as a number; malformed outside of the safe integers. */
  int64(): number {
    this.need(8)
    const value = readInt64(this.bytes, this.position)
    this.position += 8
    if (!Number.isSafeInteger(value)) throw new MalformedError(`int64 out of range: ${value}`)
    return value
  }

  /** All 64 bits. A bigint costs much more than a number: for rare fields only. */
  bits64(): bigint {
    this.need(8)
    this.position += 8
    return this.bytes.readBigInt64BE(this.position - 8)
  }

  float64(): number {
    this.need(8)
    this.position += 8
    return this.bytes.readDoubleBE(this.position - 8)
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(): number {
    const { bytes, end } = this
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= end) throw new MalformedError('truncated varint')
      const byte = bytes[this.position++]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value >= twoTo32) throw new MalformedError('varint over 32 bits')
        return value
      }
    }
    throw new MalformedError('varint over 5 bytes')
  }

  /** A zigzag varint of at most 32 bits. */
  varint(): number {
    const raw = this.uvarint()
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  /** A zigzag varint of at most 64 bits; malformed outside of the safe integers. */
  varlong(): number {
    const { bytes, end } = this
    // The zigzag form is twice the number, which may exceed 2^53: the lowest seven bits, with the
    // sign, are kept apart.
    let low = 0
    let rest = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= end) throw new MalformedError('truncated varlong')
      const byte = bytes[this.position++]!
      if (shift === 0) low = byte & 0x7f
      else rest += (byte & 0x7f) * 2 ** (shift - 7)
      if (byte < 0x80) {
        const size = rest * 0x40 + (low >>> 1)
        const value = low & 1 ? -size - 1 : size
        if (!Number.isSafeInteger(value)) throw new MalformedError('varlong out of range')
        return value
      }
    }
    throw new MalformedError('varlong over 10 bytes')
  }

  /** A view of the next `length` bytes, not a copy: copy it to keep it. */
  view(length: number): Buffer {
    this.need(length)
    this.position += length
    return this.bytes.subarray(this.position - length, this.position)
  }

  utf8(length: number): string {
    this.need(length)
    this.position += length
    return this.bytes.toString('utf8', this.position - length, this.position)
  }

  skip(length: number): void {
    this.need(length)
    this.position += length
  }
}

/** Returns the same memory as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Reads the signed big-endian 64-bit integer at `at`; exact only for safe integers. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * twoTo32 + bytes.readUInt32BE(at + 4)
}

/** Writes a safe integer as signed big-endian 64 bits. */
export function writeInt64(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / twoTo32)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * twoTo32, at + 4)
}
