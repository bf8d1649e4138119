// Well-formed requests with one array of very many elements, each as small as its type can be: the
// inputs that take the most memory when decoded, for their bytes on the wire.

import {
  type Field,
  type Fields,
  type FieldType,
  zeroUuid,
} from '../../protocol/kafka/schema/fields.ts'
import type { Api, Message } from '../../protocol/kafka/schema/schema.ts'
import { includes } from '../../protocol/kafka/schema/versionRange.ts'

export type ArrayType = Extract<FieldType, { kind: 'array' }>

/** An array in a request, at any depth. */
export interface ArrayPlace {
  /** Its path: the names of the enclosing fields, and its own. */
  readonly path: string
  readonly type: ArrayType
}

/** Returns every array in a request of this version. */
export function arraysOf(api: Api, version: number): ArrayPlace[] {
  return [...arraysIn(fieldsOf(api), version, '')]
}

/** Returns a body in which this array has this number of elements, and all others are empty. */
export function bodyWith(api: Api, version: number, { type }: ArrayPlace, count: number): unknown {
  return smallest(fieldsOf(api), version, { type, count })
}

/** Returns the smallest element of the array. */
export function smallestElement({ type }: ArrayPlace, version: number): unknown {
  return smallestOf(type.element, version)
}

interface Filled {
  readonly type: ArrayType
  readonly count: number
}

function fieldsOf(api: Api): Fields {
  return (api.request as unknown as Message<Fields>).fields
}

function* arraysIn(fields: Fields, version: number, before: string): Generator<ArrayPlace> {
  for (const [name, { type, versions }] of Object.entries(fields)) {
    if (!includes(versions, version)) continue
    const path = `${before}${name}`
    if (type.kind === 'array') yield { path, type }
    const inner = type.kind === 'array' ? type.element : type
    if (inner.kind === 'struct') yield* arraysIn(inner.fields, version, `${path}.`)
  }
}

function smallest(fields: Fields, version: number, filled?: Filled): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (!includes(field.versions, version)) continue
    if (filled && isIn(field.type, filled.type)) values[name] = filledField(field, version, filled)
    else if (field.tag === undefined) values[name] = smallestOf(field.type, version)
  }
  return values
}

function filledField({ type }: Field, version: number, filled: Filled): unknown {
  if (type === filled.type)
    return Array(filled.count).fill(smallestOf(filled.type.element, version))
  const inner = type.kind === 'array' ? type.element : type
  const value = inner.kind === 'struct' && smallest(inner.fields, version, filled)
  return type.kind === 'array' ? [value] : value
}

function isIn(type: FieldType, wanted: ArrayType): boolean {
  if (type === wanted) return true
  if (type.kind === 'array') return isIn(type.element, wanted)
  return type.kind === 'struct' && Object.values(type.fields).some((it) => isIn(it.type, wanted))
}

function smallestOf(type: FieldType, version: number): unknown {
  switch (type.kind) {
    case 'struct':
      return smallest(type.fields, version)
    case 'array':
      return []
    case 'string':
      return ''
    case 'uuid':
      return zeroUuid
    case 'bytes':
    case 'records':
      return Buffer.alloc(0)
    case 'bool':
      return false
    case 'bits64':
      return 0n
    default:
      return 0
  }
}
