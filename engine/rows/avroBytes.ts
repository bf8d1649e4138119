// Checks that bytes are a value of an Avro schema before they are decoded. The decoder believes what it
// reads: it takes an array of 2^40 nulls for one, which is six bytes long, and reads a length that goes
// beyond the value as far as it goes. Here every length is checked against what is left.

import { isUtf8 } from 'node:buffer'
import type { Type, types } from 'avsc'
import { MalformedError } from '../../protocol/bytes/malformed.ts'

/** Elements of arrays that take no bytes (null, empty records), in one value. */
const mostEmptyElements = 100_000
/** Of values in one another, as in a linked list. Decoding recurses, too. */
const mostLevels = 200
const longestLongBytes = 10

/**
 * Throws MalformedError unless `bytes[start, end)` is one value of `type`, from its first byte to its last,
 * and all of its longs are less than `longLimit` in either direction.
 */
export function requireAvro(
  type: Type,
  bytes: Buffer,
  start: number,
  end: number,
  longLimit: number = Number.POSITIVE_INFINITY,
): void {
  const walk = new AvroWalk(bytes, start, end, longLimit)
  walk.value(type, 0)
  if (walk.remaining > 0) throw new MalformedError(`${walk.remaining} bytes after the Avro value`)
}

class AvroWalk {
  readonly #bytes: Buffer
  readonly #end: number
  readonly #longLimit: number
  #position: number
  #emptyElements = 0

  constructor(bytes: Buffer, start: number, end: number, longLimit: number) {
    this.#bytes = bytes
    this.#longLimit = longLimit
    this.#position = start
    this.#end = end
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  value(type: Type, level: number): void {
    if (level > mostLevels) throw new MalformedError(`Avro values nest over ${mostLevels} levels`)
    switch (type.typeName) {
      case 'null':
        break
      case 'boolean':
        this.#boolean()
        break
      case 'int':
        this.#int()
        break
      case 'long':
      case 'abstract:long':
        this.#requireInLimit(this.#long())
        break
      case 'float':
        this.#skip(4)
        break
      case 'double':
        this.#skip(8)
        break
      case 'bytes':
        this.#skip(this.#long())
        break
      case 'string':
        this.#string()
        break
      case 'fixed':
        this.#skip((type as types.FixedType).size)
        break
      case 'enum':
        this.#index((type as types.EnumType).symbols.length, 'enum')
        break
      case 'array':
        this.#array(type as types.ArrayType, level)
        break
      case 'map':
        this.#map(type as types.MapType, level)
        break
      case 'union:wrapped':
      case 'union:unwrapped':
        this.#union((type as types.UnwrappedUnionType).types as Type[], level)
        break
      default:
        for (const field of (type as types.RecordType).fields) this.value(field.type, level + 1)
    }
  }

  #boolean(): void {
    if (this.#byte() > 1) throw new MalformedError('an Avro boolean is neither 0 nor 1')
  }

  #union(branches: readonly Type[], level: number): void {
    this.value(branches[this.#index(branches.length, 'union')]!, level + 1)
  }

  #array({ itemsType }: types.ArrayType, level: number): void {
    this.#blocks(() => this.value(itemsType, level + 1))
  }

  #map({ valuesType }: types.MapType, level: number): void {
    this.#blocks(() => {
      // An assignment to this property of an object would change its prototype, and lose the value.
      if (this.#string() === protoBytes && this.#endsWithProto()) {
        throw new MalformedError('an Avro map has the key __proto__')
      }
      this.value(valuesType as Type, level + 1)
    })
  }

  /** Counted blocks up to an empty one. A negative count is followed by the size of the block. */
  #blocks(element: () => void): void {
    for (;;) {
      const count = this.#long()
      if (count === 0) return
      let end: number | undefined
      if (count < 0) {
        const size = this.#long()
        if (size < 0 || size > this.remaining) throw cutShort(size, this.remaining)
        end = this.#position + size
      }
      for (let left = Math.abs(count); left > 0; left--) {
        const before = this.#position
        element()
        if (this.#position === before && ++this.#emptyElements > mostEmptyElements) {
          throw new MalformedError(
            `over ${mostEmptyElements} elements without a byte in Avro arrays`,
          )
        }
      }
      if (end !== undefined && this.#position !== end) {
        throw new MalformedError('an Avro block is not of the size that it says')
      }
    }
  }

  /** Returns the length. */
  #string(): number {
    const length = this.#long()
    const start = this.#position
    this.#skip(length)
    if (!isUtf8(this.#bytes.subarray(start, this.#position))) {
      throw new MalformedError('an Avro string is not UTF-8')
    }
    return length
  }

  #endsWithProto(): boolean {
    const start = this.#position - protoBytes
    return this.#bytes.toString('latin1', start, this.#position) === '__proto__'
  }

  #index(count: number, what: string): number {
    const index = this.#long()
    if (index >= 0 && index < count) return index
    throw new MalformedError(`index ${index} of an Avro ${what} of ${count}`)
  }

  #requireInLimit(long: number): void {
    if (Math.abs(long) < this.#longLimit) return
    throw new MalformedError(
      `an Avro long is beyond ${this.#longLimit}, and is read as another type`,
    )
  }

  #int(): void {
    const value = this.#long()
    if (value !== (value | 0)) throw new MalformedError('an Avro int of over 32 bits')
  }

  /** Inexact beyond 2^53, which no length and no index is. */
  #long(): number {
    let zigzag = 0
    let scale = 1
    for (let length = 1; length <= longestLongBytes; length++) {
      const byte = this.#byte()
      zigzag += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
    throw new MalformedError(`an Avro number of over ${longestLongBytes} bytes`)
  }

  #byte(): number {
    if (this.#position >= this.#end) throw new MalformedError('the Avro value is cut short')
    return this.#bytes[this.#position++]!
  }

  #skip(length: number): void {
    if (length < 0 || length > this.remaining) throw cutShort(length, this.remaining)
    this.#position += length
  }
}

const protoBytes = '__proto__'.length

function cutShort(length: number, left: number): MalformedError {
  return new MalformedError(`an Avro length of ${length} bytes, ${left} left`)
}
