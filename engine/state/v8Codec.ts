// The codec of every state that is given no other. The first byte says what follows. Most states are a
// number or a text, which need no serializer; all other values are written by V8's, which keeps Map, Set,
// Date, bigint, typed arrays, NaN, -0 and cycles.

import { deserialize, serialize } from 'node:v8'
import type { StateCodec } from './stateCodec.ts'
import { requireStorable, UnstorableError } from './storedValue.ts'

const tags = {
  serialized: 0,
  double: 1,
  /** 32 bits, signed. */
  integer: 2,
  /** One byte for each character. */
  latin1: 3,
  utf16: 4,
  null: 5,
  true: 6,
  false: 7,
} as const

export const v8Codec: StateCodec = { name: 'v8', encode, decode }

/** The bytes have a buffer of their own. Throws UnstorableError for what `decode` would not give back. */
function encode(value: unknown): Uint8Array {
  switch (typeof value) {
    case 'number':
      return encodeNumber(value)
    case 'string':
      return encodeText(value)
    case 'boolean':
      return new Uint8Array([value ? tags.true : tags.false])
    default:
      return value === null ? new Uint8Array([tags.null]) : encodeObject(value)
  }
}

function encodeNumber(value: number): Uint8Array {
  if ((value | 0) === value && !Object.is(value, -0)) {
    return new Uint8Array([tags.integer, value >> 24, value >> 16, value >> 8, value])
  }
  const bytes = new Uint8Array(9)
  bytes[0] = tags.double
  new DataView(bytes.buffer).setFloat64(1, value)
  return bytes
}

function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(1 + text.length)
  bytes[0] = tags.latin1
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0xff) return encodeWideText(text)
    bytes[at + 1] = unit
  }
  return bytes
}

/** UTF-16, as the text has it: a lone surrogate comes back. */
function encodeWideText(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(1 + 2 * text.length)
  bytes[0] = tags.utf16
  bytes.write(text, 1, 'utf16le')
  return bytes
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
      // A copy: typed arrays come back as views of the bytes that they are read from.
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
    default:
      throw new Error(
        `a value of a state begins with byte ${bytes[0]}, which no release has written`,
      )
  }
}
