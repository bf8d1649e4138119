// Encodes and decodes each wire type: fixed-width numbers, uuids, and types with a length, in the
// plain form (int16 or int32 lengths) and the compact form of flexible versions (varint of the
// length plus one, zero for null: KIP-482). Must never allocate by a length that was not checked
// against the remaining bytes.

import { MalformedError } from '../../bytes/malformed.ts'
import { type ByteReader, readInt64 } from '../../bytes/reader.ts'
import type { ByteWriter } from '../../bytes/writer.ts'
import type { PrimitiveName } from './fields.ts'

/** Encodes and decodes values of one type in one version. */
export interface Codec {
  readonly encode: (writer: ByteWriter, value: unknown) => void
  readonly decode: (reader: ByteReader) => unknown
  /** Minimum size of a value, which bounds the count of an array. */
  readonly minBytes: number
  /**
   * Approximate heap size of a decoded value, without the bytes of a string (at most the size of
   * the input) and without array elements, which are counted separately.
   */
  readonly heapBytes: number
}

export interface Context {
  readonly flexible: boolean
  readonly nullable: boolean
  /** Position of the value, for error messages: 'Produce request v9 topicData.name'. */
  readonly where: string
  /**
   * Whether a string is a message for people, which may be truncated instead of failing the
   * response.
   */
  readonly mayBeCut?: boolean
  /** Whether an int64 outside of the safe integers is clamped instead of malformed. */
  readonly saturates?: boolean
}

/** Kafka's limit, also for compact strings. */
const maxStringBytes = 0x7fff
/** Length of a truncated message. */
const cutLength = 1000
/**
 * Sizes of V8 objects on 64 bits: a number that is not a small integer, a string, a view, an array.
 */
const numberHeapBytes = 16
const stringHeapBytes = 24
/** Concatenated from parts, each an object. */
const uuidHeapBytes = 280
const viewHeapBytes = 120
const arrayHeapBytes = 48
const slotHeapBytes = 8
/**
 * Minimum cost of handling an array element, even a number: an object in the response, an entry in
 * a map.
 */
const handledHeapBytes = 120
/**
 * An invalid byte is decoded as a character of three bytes: a longer string could not be encoded
 * again.
 */
const mostBytesThatFitAnyway = Math.floor(maxStringBytes / 3)

export function primitiveCodec(kind: PrimitiveName, context: Context): Codec {
  switch (kind) {
    case 'string':
      return stringCodec(context)
    case 'bytes':
    case 'records':
      return bytesCodec(context)
    case 'int64':
      return (context.saturates ? saturatingInt64 : fixedWidth.int64) as Codec
    default:
      return fixedWidth[kind] as Codec
  }
}

interface TypedCodec<T> {
  readonly encode: (writer: ByteWriter, value: T) => void
  readonly decode: (reader: ByteReader) => unknown
  readonly minBytes: number
  readonly heapBytes: number
}

type FixedWidthName = Exclude<PrimitiveName, 'string' | 'bytes' | 'records'>

const fixedWidth: Readonly<Record<FixedWidthName, TypedCodec<never>>> = {
  bool: {
    encode: (writer, value: boolean) => writer.int8(value ? 1 : 0),
    decode: (reader) => reader.int8() !== 0,
    minBytes: 1,
    heapBytes: 0,
  },
  int8: numeric(
    1,
    (writer, value) => writer.int8(value),
    (reader) => reader.int8(),
  ),
  int16: numeric(
    2,
    (writer, value) => writer.int16(value),
    (reader) => reader.int16(),
  ),
  int32: numeric(
    4,
    (writer, value) => writer.int32(value),
    (reader) => reader.int32(),
  ),
  int64: numeric(
    8,
    (writer, value) => writer.int64(value),
    (reader) => reader.int64(),
  ),
  bits64: {
    encode: (writer, value: bigint) => writer.bits64(value),
    decode: (reader) => reader.bits64(),
    minBytes: 8,
    heapBytes: 2 * numberHeapBytes,
  },
  float64: numeric(
    8,
    (writer, value) => writer.float64(value),
    (reader) => reader.float64(),
  ),
  uuid: { encode: writeUuid, decode: readUuid, minBytes: 16, heapBytes: uuidHeapBytes },
}

const saturatingInt64 = numeric(
  8,
  (writer, value) => writer.int64(value),
  (reader) => {
    reader.need(8)
    const value = readInt64(reader.bytes, reader.position)
    reader.position += 8
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER))
  },
)

function numeric(
  minBytes: number,
  encode: (writer: ByteWriter, value: number) => void,
  decode: (reader: ByteReader) => number,
): TypedCodec<number> {
  // Numbers of up to 32 bits need no object of their own.
  return { encode, decode, minBytes, heapBytes: minBytes > 4 ? numberHeapBytes : 0 }
}

function stringCodec({ flexible, nullable, where, mayBeCut = false }: Context): Codec {
  const tooLong = (byteLength: number) =>
    new RangeError(`${where}: string of ${byteLength} bytes exceeds ${maxStringBytes}`)
  return {
    encode(writer, value) {
      if (value === null) return writeNull(writer, flexible ? 'compact' : 'int16', nullable, where)
      let text = value as string
      let byteLength = Buffer.byteLength(text)
      if (byteLength > maxStringBytes) {
        if (!mayBeCut) throw tooLong(byteLength)
        text = `${text.slice(0, cutLength)}...`
        byteLength = Buffer.byteLength(text)
      }
      if (flexible) writer.uvarint(byteLength + 1)
      else writer.int16(byteLength)
      writer.utf8(text)
    },
    decode(reader) {
      const byteLength = flexible ? reader.uvarint() - 1 : reader.int16()
      if (byteLength < 0) return nullOrMalformed(byteLength, nullable, where)
      if (byteLength > maxStringBytes) {
        throw new MalformedError(`${where}: string of ${byteLength} bytes`)
      }
      const text = reader.utf8(byteLength)
      if (byteLength > mostBytesThatFitAnyway && Buffer.byteLength(text) > maxStringBytes) {
        throw new MalformedError(`${where}: invalid UTF-8`)
      }
      return text
    },
    minBytes: flexible ? 1 : 2,
    heapBytes: stringHeapBytes,
  }
}

function bytesCodec({ flexible, nullable, where }: Context): Codec {
  return {
    encode(writer, value) {
      if (value === null) return writeNull(writer, flexible ? 'compact' : 'int32', nullable, where)
      const bytes = value as Uint8Array
      writeLength(writer, bytes.length, flexible)
      writer.raw(bytes)
    },
    decode(reader) {
      const length = readLength(reader, flexible)
      return length < 0 ? nullOrMalformed(length, nullable, where) : reader.view(length)
    },
    minBytes: flexible ? 1 : 4,
    heapBytes: viewHeapBytes,
  }
}

/** An array; `element` is the codec of its elements. */
export function arrayCodec(element: Codec, { flexible, nullable, where }: Context): Codec {
  const elementBytes = Math.max(1, element.minBytes)
  const elementHeapBytes = slotHeapBytes + Math.max(element.heapBytes, handledHeapBytes)
  return {
    encode(writer, value) {
      if (value === null) return writeNull(writer, flexible ? 'compact' : 'int32', nullable, where)
      const items = value as readonly unknown[]
      writeLength(writer, items.length, flexible)
      for (let at = 0; at < items.length; at++) element.encode(writer, items[at])
    },
    decode(reader) {
      const count = readLength(reader, flexible)
      if (count < 0) return nullOrMalformed(count, nullable, where)
      if (count * elementBytes > reader.remaining) {
        throw new MalformedError(`${where}: ${count} elements in ${reader.remaining} bytes`)
      }
      reader.allowance?.take(count * elementHeapBytes, where)
      const items: unknown[] = []
      for (let at = 0; at < count; at++) items.push(element.decode(reader))
      return items
    },
    minBytes: flexible ? 1 : 4,
    heapBytes: arrayHeapBytes,
  }
}

/** Reads the length of bytes, records or an array; -1 for null. */
function readLength(reader: ByteReader, flexible: boolean): number {
  return flexible ? reader.uvarint() - 1 : reader.int32()
}

function writeLength(writer: ByteWriter, length: number, flexible: boolean): void {
  if (flexible) writer.uvarint(length + 1)
  else writer.int32(length)
}

function writeNull(
  writer: ByteWriter,
  form: 'compact' | 'int16' | 'int32',
  nullable: boolean,
  where: string,
): void {
  if (!nullable) throw new TypeError(`${where} must not be null in this version`)
  if (form === 'compact') writer.uvarint(0)
  else if (form === 'int16') writer.int16(-1)
  else writer.int32(-1)
}

function nullOrMalformed(length: number, nullable: boolean, where: string): null {
  if (length === -1 && nullable) return null
  throw new MalformedError(length === -1 ? `${where} is null` : `${where}: length ${length}`)
}

function writeUuid(writer: ByteWriter, value: string): void {
  const written = writer.reserve(16).write(value.replaceAll('-', ''), writer.length, 16, 'hex')
  if (written !== 16 || value.length !== 36) throw new TypeError(`not a uuid: '${value}'`)
  writer.length += 16
}

function readUuid(reader: ByteReader): string {
  reader.need(16)
  const hex = reader.bytes.toString('hex', reader.position, reader.position + 16)
  reader.position += 16
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
