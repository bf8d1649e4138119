// Validates that bytes are a value of an Avro schema before they are decoded. The decoder trusts
// its input: it accepts an array of 2^40 nulls, which takes six bytes, and reads past the end of
// the value for a wrong length. Here every length is checked against the remaining bytes.

import { isUtf8 } from 'node:buffer'
import type { Type, types } from 'avsc'
import { MalformedError } from '../../protocol/bytes/malformed.ts'

/** Maximum number of array elements in one value that take no bytes (null, empty records). */
const mostEmptyElements = 100_000
/** Maximum nesting of records, as in a linked list. Decoding is recursive, too. */
const mostLevels = 200
const longestLongBytes = 10

/** Skips a value of one type. */
type Check = (walk: AvroWalk, level: number) => void

/**
 * Returns a function that throws MalformedError unless `bytes[start, end)` is exactly one value of
 * `type` whose longs all have an absolute value below `longLimit`.
 */
export function avroCheck(
  type: Type,
  longLimit: number = Number.POSITIVE_INFINITY,
): (bytes: Buffer, start: number, end: number) => void {
  const check = new AvroChecks(longLimit).of(type)
  return (bytes, start, end) => {
    const walk = new AvroWalk(bytes, start, end)
    check(walk, 0)
    if (walk.remaining > 0)
      throw new MalformedError(`${walk.remaining} bytes follow the Avro value`)
  }
}

/** One check per type of a schema, created once. */
class AvroChecks {
  readonly #longLimit: number
  readonly #made = new Map<Type, Check>()

  constructor(longLimit: number) {
    this.#longLimit = longLimit
  }

  of(type: Type): Check {
    const known = this.#made.get(type)
    if (known !== undefined) return known
    let made: Check | undefined
    // A record may have fields of its own type.
    this.#made.set(type, (walk, level) => made!(walk, level))
    made = this.#make(type)
    this.#made.set(type, made)
    return made
  }

  #make(type: Type): Check {
    switch (type.typeName) {
      case 'null':
        return () => {}
      case 'boolean':
        return (walk) => walk.boolean()
      case 'int':
        return (walk) => walk.int()
      case 'long':
      case 'abstract:long':
        return (walk) => walk.longBelow(this.#longLimit)
      case 'float':
        return (walk) => walk.skip(4)
      case 'double':
        return (walk) => walk.skip(8)
      case 'bytes':
        return (walk) => walk.skip(walk.long())
      case 'string':
        return (walk) => void walk.string()
      case 'fixed': {
        const { size } = type as types.FixedType
        return (walk) => walk.skip(size)
      }
      case 'enum': {
        const { length } = (type as types.EnumType).symbols
        return (walk) => void walk.index(length, 'enum')
      }
      case 'array':
        return blocks(this.of((type as types.ArrayType).itemsType))
      case 'map':
        return blocks(entry(this.of((type as types.MapType).valuesType as Type)))
      case 'union:wrapped':
      case 'union:unwrapped':
        return union(
          ((type as types.UnwrappedUnionType).types as Type[]).map((each) => this.of(each)),
        )
      default:
        return record((type as types.RecordType).fields.map((field) => this.of(field.type)))
    }
  }
}

function record(fields: readonly Check[]): Check {
  return (walk, level) => {
    if (level > mostLevels)
      throw new MalformedError(`the Avro value is nested more than ${mostLevels} levels deep`)
    for (let at = 0; at < fields.length; at++) fields[at]!(walk, level + 1)
  }
}

function union(branches: readonly Check[]): Check {
  return (walk, level) => branches[walk.index(branches.length, 'union')]!(walk, level)
}

function entry(value: Check): Check {
  return (walk, level) => {
    walk.mapKey()
    value(walk, level)
  }
}

/** Counted blocks, up to an empty one. A negative count is followed by the size of the block. */
function blocks(element: Check): Check {
  return (walk, level) => {
    for (let count = walk.long(); count !== 0; count = walk.long()) {
      const end = count < 0 ? walk.blockEnd() : undefined
      for (let left = Math.abs(count); left > 0; left--) {
        const before = walk.position
        element(walk, level + 1)
        if (walk.position === before) walk.countEmptyElement()
      }
      if (end !== undefined && walk.position !== end) {
        throw new MalformedError('an Avro block does not have its declared size')
      }
    }
  }
}

class AvroWalk {
  readonly #bytes: Buffer
  readonly #end: number
  #emptyElements = 0
  position: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.position = start
    this.#end = end
  }

  get remaining(): number {
    return this.#end - this.position
  }

  boolean(): void {
    if (this.#byte() > 1) throw new MalformedError('an Avro boolean is neither 0 nor 1')
  }

  int(): void {
    const value = this.long()
    if (value !== (value | 0)) throw new MalformedError('an Avro int has more than 32 bits')
  }

  longBelow(limit: number): void {
    if (Math.abs(this.long()) < limit) return
    throw new MalformedError(
      `an Avro long is beyond ${limit} and cannot be converted to a float or double`,
    )
  }

  /** Returns a long, inexact beyond 2^53: valid lengths and indexes are far smaller. */
  long(): number {
    let byte = this.#byte()
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let zigzag = byte & 0x7f
    let scale = 128
    for (let length = 2; length <= longestLongBytes; length++) {
      byte = this.#byte()
      zigzag += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
    throw new MalformedError(`an Avro number has more than ${longestLongBytes} bytes`)
  }

  index(count: number, what: string): number {
    const index = this.long()
    if (index >= 0 && index < count) return index
    throw new MalformedError(`index ${index} is out of range for an Avro ${what} of ${count}`)
  }

  skip(length: number): void {
    if (length < 0 || length > this.remaining) {
      throw new MalformedError(`an Avro length is ${length} bytes, but ${this.remaining} are left`)
    }
    this.position += length
  }

  /** Returns the length. */
  string(): number {
    const length = this.long()
    const start = this.position
    this.skip(length)
    if (this.#isAscii(start) || isUtf8(this.#bytes.subarray(start, this.position))) return length
    throw new MalformedError('an Avro string is not UTF-8')
  }

  mapKey(): void {
    const length = this.string()
    if (length !== protoKey.length) return
    // Assigning this property of an object would change its prototype and lose the value.
    const key = this.#bytes.toString('latin1', this.position - length, this.position)
    if (key !== protoKey) return
    throw new MalformedError(`an Avro map has the key ${protoKey}`)
  }

  blockEnd(): number {
    const size = this.long()
    const end = this.position + size
    if (size >= 0 && end <= this.#end) return end
    throw new MalformedError(`an Avro block is ${size} bytes, but ${this.remaining} are left`)
  }

  countEmptyElement(): void {
    if (++this.#emptyElements <= mostEmptyElements) return
    throw new MalformedError(
      `Avro arrays contain more than ${mostEmptyElements} elements of zero bytes`,
    )
  }

  #isAscii(start: number): boolean {
    for (let at = start; at < this.position; at++) if (this.#bytes[at]! >= 0x80) return false
    return true
  }

  #byte(): number {
    if (this.position >= this.#end) throw new MalformedError('the Avro value is truncated')
    return this.#bytes[this.position++]!
  }
}

const protoKey = '__proto__'
