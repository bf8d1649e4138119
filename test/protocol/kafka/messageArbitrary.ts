// Arbitrary messages, generated from the tables of the codecs: input for a version, and its
// expected decoded value.

import fc from 'fast-check'
import {
  defaultsOf,
  type Field,
  type Fields,
  type FieldType,
  type PrimitiveName,
} from '../../../protocol/kafka/schema/fields.ts'
import { includes } from '../../../protocol/kafka/schema/versionRange.ts'

const safeInteger = fc.oneof(
  fc.integer({ min: -2, max: 300 }),
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
)
const buffer = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))

const primitives: Readonly<Record<PrimitiveName, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  int8: fc.integer({ min: -0x80, max: 0x7f }),
  int16: fc.integer({ min: -0x8000, max: 0x7fff }),
  int32: fc.integer(),
  int64: safeInteger,
  bits64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float64: fc.double({ noNaN: true }),
  uuid: fc.uuid(),
  string: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 200 })),
  bytes: buffer,
  records: fc.oneof(buffer, fc.constant(Buffer.alloc(2000, 7))),
}

/** Whether fields that a version lacks have their default in the input, or are omitted. */
export type Absent = 'default' | 'omitted'

/** A value of the struct as one version carries it. */
export function structArbitrary(
  fields: Fields,
  version: number,
  absent: Absent = 'default',
): fc.Arbitrary<Record<string, unknown>> {
  const defaults = defaultsOf(fields)
  const arbitraries: Record<string, fc.Arbitrary<unknown>> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (includes(field.versions, version)) {
      arbitraries[name] = fieldArbitrary(field, version, absent)
    } else if (absent === 'default') {
      arbitraries[name] = fc.constant(defaults[name])
    }
  }
  return fc.record(arbitraries)
}

function fieldArbitrary(field: Field, version: number, absent: Absent): fc.Arbitrary<unknown> {
  const nullable = includes(field.nullable, version)
  const choices = [typeArbitrary(field.type, version, absent)]
  const { defaultValue } = field
  if (field.type.kind !== 'struct' && defaultValue !== null) choices.push(fc.constant(defaultValue))
  if (nullable) choices.push(fc.constant(null))
  return fc.oneof(...choices)
}

function typeArbitrary(type: FieldType, version: number, absent: Absent): fc.Arbitrary<unknown> {
  if (type.kind === 'array') {
    return fc.array(typeArbitrary(type.element, version, absent), { maxLength: 3 })
  }
  if (type.kind === 'struct') return structArbitrary(type.fields, version, absent)
  return primitives[type.kind]
}
