// Converts decoded Avro values to plain ones. The decoder returns records of generated classes,
// which cannot be sent to another thread, and bytes in memory that it shares.

import type { Type, types } from 'avsc'

type Convert = (value: unknown) => unknown

/**
 * Returns a function that converts a value of the type: plain objects for records, and copied
 * bytes.
 */
export function plainOf(type: Type): Convert {
  return new Converters().of(type) ?? ((value) => value)
}

/** One converter per type of a schema, created once; undefined for types whose values are plain. */
class Converters {
  readonly #made = new Map<Type, Convert | undefined>()

  of(type: Type): Convert | undefined {
    if (this.#made.has(type)) return this.#made.get(type)
    let made: Convert | undefined
    // A record may have fields of its own type.
    this.#made.set(type, (value) => (made === undefined ? value : made(value)))
    made = this.#make(type)
    this.#made.set(type, made)
    return made
  }

  #make(type: Type): Convert | undefined {
    switch (type.typeName) {
      case 'bytes':
      case 'fixed':
        return copied
      case 'array':
        return arrayOf(this.of((type as types.ArrayType).itemsType))
      case 'map':
        return mapOf(this.of((type as types.MapType).valuesType as Type))
      case 'union:wrapped':
        return anyValue
      case 'union:unwrapped':
        return this.#union((type as types.UnwrappedUnionType).types as Type[])
      case 'record':
      case 'error':
        return this.#record((type as types.RecordType).fields)
      default:
        return undefined
    }
  }

  /** Usually only one branch of a union is an object: JavaScript must tell the branches apart. */
  #union(branches: readonly Type[]): Convert | undefined {
    const converts = branches.map((branch) => this.of(branch)).filter((each) => each !== undefined)
    if (converts.length === 0) return undefined
    const [only] = converts
    const hasPlainObjects = branches.some(
      (branch) => /^(?:array|map)$/.test(branch.typeName) && this.of(branch) === undefined,
    )
    if (converts.length > 1 || hasPlainObjects) return anyValue
    return (value) => (typeof value === 'object' && value !== null ? only!(value) : value)
  }

  #record(fields: readonly types.Field[]): Convert {
    const converted: { readonly name: string; readonly convert: Convert }[] = []
    for (const { name, type } of fields) {
      const convert = this.of(type)
      if (convert !== undefined) converted.push({ name, convert })
    }
    return (value) => {
      const plain = { ...(value as Record<string, unknown>) }
      for (const { name, convert } of converted) plain[name] = convert(plain[name])
      return plain
    }
  }
}

function arrayOf(convert: Convert | undefined): Convert | undefined {
  if (convert === undefined) return undefined
  return (value) => (value as unknown[]).map(convert)
}

function mapOf(convert: Convert | undefined): Convert | undefined {
  if (convert === undefined) return undefined
  return (value) => {
    const map = value as Record<string, unknown>
    for (const key of Object.keys(map)) map[key] = convert(map[key])
    return map
  }
}

/** Converts a value of unknown type: a union's value does not name its branch. */
function anyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return copied(value)
  if (Array.isArray(value)) return value.map(anyValue)
  return mapOf(anyValue)!({ ...value })
}

/** Avoids Buffer.from, which uses a shared pool: cloning the copy would clone the whole pool. */
function copied(value: unknown): Buffer {
  const bytes = value as Uint8Array
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
