// Requests that are well-formed and consist of one array with very many elements, each as small as its
// type can be: what takes the most memory, decoded, for the bytes that it came in.

import { type Field, type Fields, type FieldType, zeroUuid } from '../../protocol/kafka/fields.ts'
import type { Api, Message } from '../../protocol/kafka/schema.ts'
import { includes } from '../../protocol/kafka/versionRange.ts'

export type ArrayType = Extract<FieldType, { kind: 'array' }>

/** An array of a request, wherever it is in it. */
export interface ArrayPlace {
  /** Its name, after those that it is in. */
  readonly path: string
  readonly type: ArrayType
}

/** Every array that a request of this version has. */
export function arraysOf(api: Api, version: number): ArrayPlace[] {
  return [...arraysIn(fieldsOf(api), version, '')]
}

/** A body in which this array has so many elements, and all others none. */
export function bodyWith(api: Api, version: number, { type }: ArrayPlace, count: number): unknown {
  return smallest(fieldsOf(api), version, { type, count })
}

/** The smallest element that the array can have. */
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
