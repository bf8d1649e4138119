// The default codec of states. The first byte tells the encoding. Most states are a number or a
// string, which need no serializer; all other values are written by V8's, which preserves Map, Set,
// Date, bigint, typed arrays, NaN, -0 and cycles.

import { deserialize, serialize } from 'node:v8'
import type { StateCodec } from './stateCodec.ts'
import { requireStorable, UnstorableError } from './storedValue.ts'

const tags = {
  serialized: 0,
  double: 1,
  /** 32 bits, signed. */
  integer: 2,
  /** One byte per character. */
  latin1: 3,
  utf16: 4,
  null: 5,
  true: 6,
  false: 7,
  /** A count; then, for each element, its length in bytes and its bytes. */
  list: 8,
} as const

/** Limits of a list with this tag; larger ones are left to the serializer. */
const mostElements = 8
const mostElementBytes = 255

export const v8Codec: StateCodec = { name: 'v8', encode, decode }

/** Throws UnstorableError for a value that `decode` would not restore unchanged. */
function encode(value: unknown): Uint8Array {
  switch (typeof value) {
    case 'number':
      return encodeNumber(value)
    case 'string':
      return encodeText(value)
    case 'boolean':
      return single(value ? tags.true : tags.false)
    default:
      if (value === null) return single(tags.null)
      return (Array.isArray(value) && encodeList(value)) || encodeObject(value)
  }
}

function single(tag: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(1)
  bytes[0] = tag
  return bytes
}

function encodeNumber(value: number): Uint8Array {
  const isInteger = (value | 0) === value && !Object.is(value, -0)
  const bytes = Buffer.allocUnsafe(isInteger ? 5 : 9)
  bytes[0] = isInteger ? tags.integer : tags.double
  if (isInteger) bytes.writeInt32BE(value, 1)
  else bytes.writeDoubleBE(value, 1)
  return bytes
}

function encodeText(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + text.length)
  bytes[0] = tags.latin1
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0xff) return encodeWideText(text)
    bytes[at + 1] = unit
  }
  return bytes
}

/** UTF-16 code units, so that lone surrogates are preserved. */
function encodeWideText(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + 2 * text.length)
  bytes[0] = tags.utf16
  bytes.write(text, 1, 'utf16le')
  return bytes
}

/**
 * Encodes an array of a few primitive values, as operators store a value with its times; returns
 * undefined for any other array.
 */
function encodeList(values: readonly unknown[]): Uint8Array | undefined {
  if (values.length > mostElements || !isPlainList(values)) return undefined
  const parts: Uint8Array[] = []
  let length = 2
  for (const value of values) {
    if (!isPrimitive(value)) return undefined
    const part = encode(value)
    if (part.length > mostElementBytes) return undefined
    parts.push(part)
    length += 1 + part.length
  }
  const bytes = Buffer.allocUnsafe(length)
  bytes[0] = tags.list
  bytes[1] = parts.length
  let at = 2
  for (const part of parts) {
    bytes[at] = part.length
    bytes.set(part, at + 1)
    at += 1 + part.length
  }
  return bytes
}

function isPrimitive(value: unknown): boolean {
  const type = typeof value
  return type === 'number' || type === 'string' || type === 'boolean' || value === null
}

/** Whether the array has only elements, none of them missing. */
function isPlainList(values: readonly unknown[]): boolean {
  const own = Reflect.ownKeys(values)
  return Object.getPrototypeOf(values) === Array.prototype && own.length === values.length + 1
}

function decodeList(bytes: Uint8Array): unknown[] {
  const values: unknown[] = []
  let at = 2
  for (let count = bytes[1]!; count > 0; count--) {
    const end = at + 1 + bytes[at]!
    values.push(decode(bytes.subarray(at + 1, end)))
    at = end
  }
  return values
}

function encodeObject(value: unknown): Uint8Array {
  requireStorable(value)
  let serialized: Buffer
  try {
    serialized = serialize(value)
  } catch (error) {
    throw new UnstorableError(`the value cannot be serialized: ${(error as Error).message}`)
  }
  const bytes = new Uint8Array(1 + serialized.length)
  bytes.set(serialized, 1)
  return bytes
}

function decode(bytes: Uint8Array): unknown {
  switch (bytes[0]) {
    case tags.serialized:
      // A copy, because deserialized typed arrays are views of their input.
      return deserialize(new Uint8Array(bytes.subarray(1)))
    case tags.double:
      return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(1)
    case tags.integer:
      return (bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!
    case tags.latin1:
      return Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.length - 1).toString('latin1')
    case tags.utf16:
      return Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.length - 1).toString('utf16le')
    case tags.null:
      return null
    case tags.true:
      return true
    case tags.false:
      return false
    case tags.list:
      return decodeList(bytes)
    default:
      throw new Error(`a value of a state starts with byte ${bytes[0]}, which no release writes`)
  }
}
