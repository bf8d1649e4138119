// A growing buffer to write messages into. One writer serves many messages: `reset` keeps its
// memory. `written` returns a view that the next write may overwrite; `take` hands the memory over.

import { assert } from '../runtime/assert.ts'
import { asBuffer, writeInt64 } from './reader.ts'

const smallestBytes = 256

export class ByteWriter {
  #bytes: Buffer
  /** Number of bytes written. */
  length = 0

  constructor(capacityBytes = smallestBytes) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(capacityBytes, smallestBytes))
  }

  /** Reserves `more` bytes and returns the memory; the caller writes at `length`. */
  reserve(more: number): Buffer {
    const wanted = this.length + more
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, this.length)
      this.#bytes = grown
    }
    return this.#bytes
  }

  int8(value: number): void {
    this.reserve(1).writeInt8(value, this.length)
    this.length += 1
  }

  uint8(value: number): void {
    this.reserve(1)[this.length++] = value
  }

  int16(value: number): void {
    this.reserve(2).writeInt16BE(value, this.length)
    this.length += 2
  }

  uint16(value: number): void {
    this.reserve(2).writeUInt16BE(value, this.length)
    this.length += 2
  }

  int32(value: number): void {
    this.reserve(4).writeInt32BE(value, this.length)
    this.length += 4
  }

  uint32(value: number): void {
    this.reserve(4).writeUInt32BE(value, this.length)
    this.length += 4
  }

  int64(value: number): void {
    writeInt64(this.reserve(8), this.length, value)
    this.length += 8
  }

  bits64(value: bigint): void {
    this.reserve(8).writeBigInt64BE(value, this.length)
    this.length += 8
  }

  float64(value: number): void {
    this.reserve(8).writeDoubleBE(value, this.length)
    this.length += 8
  }

  /** Unsigned varint, for values from 0 to 2^32 - 1. */
  uvarint(value: number): void {
    assert(value >= 0 && value < 2 ** 32, 'an unsigned varint has at most 32 bits')
    const bytes = this.reserve(5)
    while (value >= 0x80) {
      bytes[this.length++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[this.length++] = value
  }

  /** Zigzag varint, for 32-bit values. */
  varint(value: number): void {
    this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  /** Zigzag varint, for safe integers. */
  varlong(value: number): void {
    const bytes = this.reserve(10)
    // Zigzag doubles the number, which may exceed 2^53: the sign is combined with the lowest six
    // bits only.
    const size = value < 0 ? -value - 1 : value
    let rest = Math.floor(size / 0x40)
    let byte = ((size % 0x40) << 1) | (value < 0 ? 1 : 0)
    while (rest > 0) {
      bytes[this.length++] = byte | 0x80
      byte = rest % 0x80
      rest = Math.floor(rest / 0x80)
    }
    bytes[this.length++] = byte
  }

  raw(bytes: Uint8Array): void {
    asBuffer(bytes).copy(this.reserve(bytes.length), this.length)
    this.length += bytes.length
  }

  /** Writes the UTF-8 bytes of a text without a length; returns their number. */
  utf8(text: string): number {
    const byteLength = Buffer.byteLength(text)
    this.reserve(byteLength).write(text, this.length, 'utf8')
    this.length += byteLength
    return byteLength
  }

  /** Overwrites four written bytes: for a length that is known only afterwards. */
  patchInt32(at: number, value: number): void {
    assert(at >= 0 && at + 4 <= this.length, 'only written bytes can be patched')
    this.#bytes.writeInt32BE(value, at)
  }

  /** Returns a view of the written bytes, valid until the next write or reset. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  /** Hands over the written bytes and continues with new memory. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length)
    this.#bytes = Buffer.allocUnsafeSlow(smallestBytes)
    this.length = 0
    return taken
  }

  reset(): void {
    this.length = 0
  }
}
