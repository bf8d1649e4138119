// Compiles a table of fields, for one version, into functions that encode and decode it: the fields
// of the version in the order of the table, then, in flexible versions, the tagged section.
// Compiled once per message and version. Unknown tags are skipped (KIP-482); a value that the
// version cannot carry is refused, unless its field is ignorable.

import { MalformedError } from '../../bytes/malformed.ts'
import type { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import { CodedError } from '../../runtime/codedError.ts'
import { defaultsOf, type Field, type Fields, type FieldType, isRequired } from './fields.ts'
import { arrayCodec, type Codec, type Context, primitiveCodec } from './primitiveCodec.ts'
import { includes, type VersionRange } from './versionRange.ts'

/** Thrown by encoders for a value that the version cannot carry. */
export class UnsupportedFieldError extends CodedError<'UNSUPPORTED_FIELD'> {
  constructor(message: string, cause?: unknown) {
    super('UNSUPPORTED_FIELD', message, cause)
  }
}

export interface StructContext extends Context {
  readonly version: number
  readonly parentVersions: VersionRange
}

type Values = Record<string, unknown>

interface CompiledField {
  readonly name: string
  readonly codec: Codec
  readonly required: boolean
  readonly defaultValue: unknown
}

interface TaggedField extends CompiledField {
  readonly tag: number
  readonly isDefault: (value: unknown) => boolean
}

interface AbsentField {
  readonly name: string
  readonly versions: VersionRange
  readonly isDefault: (value: unknown) => boolean
}

export function structCodec(fields: Fields, context: StructContext): Codec {
  const { flexible, nullable, where } = context
  const { plain, tagged, absent } = compileFields(fields, context)
  // Every value starts as a copy of this template, so that all have the same fields in the same
  // order.
  const template = { ...defaultsOf(fields) }

  function encode(writer: ByteWriter, value: unknown): void {
    const values = value as Values
    for (let at = 0; at < absent.length; at++) refuseAbsent(absent[at]!, values, where)
    for (let at = 0; at < plain.length; at++) {
      const field = plain[at]!
      field.codec.encode(writer, givenOrDefault(field, values, where))
    }
    if (flexible) writeTagged(writer, tagged, values)
  }

  function decode(reader: ByteReader): unknown {
    const values: Values = { ...template }
    for (let at = 0; at < plain.length; at++) {
      const field = plain[at]!
      values[field.name] = field.codec.decode(reader)
    }
    if (flexible) readTagged(reader, tagged, values, where)
    return values
  }

  const minBytes = plain.reduce((sum, { codec }) => sum + codec.minBytes, flexible ? 1 : 0)
  const fieldsHeapBytes = plain.reduce((sum, { codec }) => sum + codec.heapBytes, 0)
  const heapBytes = 24 + 8 * Object.keys(template).length + fieldsHeapBytes
  const codec = { encode, decode, minBytes, heapBytes }
  return nullable ? nullableStruct(codec) : codec
}

function compileFields(fields: Fields, context: StructContext) {
  const plain: CompiledField[] = []
  const tagged: TaggedField[] = []
  const absent: AbsentField[] = []
  for (const [name, field] of Object.entries(fields)) {
    const isDefault = defaultTest(field)
    if (!includes(field.versions, context.version)) {
      if (!field.ignorable) absent.push({ name, versions: field.versions, isDefault })
      continue
    }
    const compiled = compileField(name, field, context)
    if (field.tag === undefined) plain.push(compiled)
    else tagged.push({ ...compiled, tag: field.tag, isDefault })
  }
  tagged.sort((a, b) => a.tag - b.tag)
  return { plain, tagged, absent }
}

function compileField(name: string, field: Field, parent: StructContext): CompiledField {
  const context = {
    ...parent,
    nullable: includes(field.nullable, parent.version),
    where: `${parent.where} ${name}`,
    // It may quote a client's input of maximum string length.
    mayBeCut: /^(error|.*Error)Message$/.test(name),
  }
  return {
    name,
    codec: typeCodec(field.type, context),
    required: isRequired(field, parent.parentVersions),
    defaultValue: field.defaultValue,
  }
}

function typeCodec(type: FieldType, context: StructContext): Codec {
  if (type.kind === 'struct') {
    return structCodec(type.fields, { ...context, parentVersions: type.versions })
  }
  if (type.kind === 'array') {
    return arrayCodec(typeCodec(type.element, { ...context, nullable: false }), context)
  }
  return primitiveCodec(type.kind, context)
}

/** One byte says whether the struct follows: 1, or -1 for null. */
function nullableStruct(struct: Codec): Codec {
  return {
    encode(writer, value) {
      writer.int8(value === null ? -1 : 1)
      if (value !== null) struct.encode(writer, value)
    },
    decode: (reader) => (reader.int8() < 0 ? null : struct.decode(reader)),
    minBytes: 1,
    heapBytes: struct.heapBytes,
  }
}

function givenOrDefault(field: CompiledField, values: Values, where: string): unknown {
  const value = values[field.name]
  if (value !== undefined) return value
  if (field.required) throw new TypeError(`${where} ${field.name} is required`)
  return field.defaultValue
}

function refuseAbsent(field: AbsentField, values: Values, where: string): void {
  const value = values[field.name]
  if (value === undefined || field.isDefault(value)) return
  throw new UnsupportedFieldError(
    `${where} has no ${field.name}: remove it, or use a version in ${field.versions.text}`,
  )
}

function writeTagged(writer: ByteWriter, tagged: readonly TaggedField[], values: Values): void {
  let count = 0
  for (let at = 0; at < tagged.length; at++) if (isWritten(tagged[at]!, values)) count++
  writer.uvarint(count)
  if (count === 0) return
  for (const field of tagged) if (isWritten(field, values)) writeTag(writer, field, values)
}

function isWritten(field: TaggedField, values: Values): boolean {
  const value = values[field.name]
  return value !== undefined && !field.isDefault(value)
}

/** A tag is preceded by its size, so it is encoded separately first. Tags are rare and small. */
function writeTag(writer: ByteWriter, field: TaggedField, values: Values): void {
  const aside = new ByteWriter()
  field.codec.encode(aside, values[field.name])
  writer.uvarint(field.tag)
  writer.uvarint(aside.length)
  writer.raw(aside.written())
}

function readTagged(
  reader: ByteReader,
  tagged: readonly TaggedField[],
  values: Values,
  where: string,
): void {
  const count = reader.uvarint()
  for (let read = 0; read < count; read++) {
    const tag = reader.uvarint()
    const size = reader.uvarint()
    reader.need(size)
    const end = reader.position + size
    const field = tagged.find((candidate) => candidate.tag === tag)
    if (field === undefined) reader.position = end
    else values[field.name] = field.codec.decode(reader)
    if (reader.position !== end) {
      throw new MalformedError(`${where}: tag ${tag} does not fill its ${size} bytes`)
    }
  }
}

/** Skips a tagged section without known tags. */
export function skipTagged(reader: ByteReader): void {
  readTagged(reader, [], {}, 'header')
}

/** Whether a value equals the default of its field and need not be sent. */
function defaultTest(field: Field): (value: unknown) => boolean {
  const { type, defaultValue } = field
  if (defaultValue === null) return (value) => value === null
  if (type.kind === 'array') return (value) => Array.isArray(value) && value.length === 0
  if (type.kind === 'bytes' || type.kind === 'records') {
    return (value) => value instanceof Uint8Array && value.length === 0
  }
  if (type.kind === 'struct') return structDefaultTest(type.fields)
  return (value) => value === defaultValue
}

function structDefaultTest(fields: Fields): (value: unknown) => boolean {
  const tests = Object.entries(fields).map(([name, field]) => [name, defaultTest(field)] as const)
  return (value) => {
    if (value === null) return false
    const values = value as Values
    return tests.every(([name, test]) => values[name] === undefined || test(values[name]))
  }
}
