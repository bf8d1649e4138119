// Checks which values can be stored as state: those that V8's serializer restores unchanged. It
// silently drops classes, symbols and hidden fields, and a job would continue with incomplete
// values. `StorableState` rejects such values at compile time, `requireStorable` at run time: the
// compiler cannot see the class behind an interface.

/** The value contains something that cannot be stored; the message says where and what. */
export class UnstorableError extends Error {}

/**
 * Throws UnstorableError for a value that would not be restored unchanged. Cycles and shared
 * references are preserved; frozenness is not.
 */
export function requireStorable(value: unknown): void {
  let flaw: string | undefined
  try {
    flaw = value === undefined ? ' is undefined' : flawOf(value, new Set())
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UnstorableError('the value is nested too deeply')
  }
  if (flaw !== undefined) throw new UnstorableError(`the value${flaw}`)
}

/**
 * Returns path and kind of the first flaw, such as `.users[2] is a function`; undefined for none.
 */
function flawOf(value: unknown, seen: Set<object>): string | undefined {
  switch (typeof value) {
    case 'function':
    case 'symbol':
      return ` is a ${typeof value}`
    case 'object':
      if (value === null || seen.has(value)) return undefined
      seen.add(value)
      return flawOfObject(value, seen)
    default:
      return undefined
  }
}

function flawOfObject(value: object, seen: Set<object>): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return flawOfFields(value, seen)
  if (prototype === Array.prototype) return flawOfArray(value as unknown[], seen)
  if (prototype === Map.prototype) return flawOfMap(value as Map<unknown, unknown>, seen)
  if (prototype === Set.prototype) return flawOfSet(value as Set<unknown>, seen)
  if (isPlainBytes(value, prototype)) return undefined
  if (prototype === Date.prototype) return flawOfOwn(value)
  if (prototype === null) return ' has no prototype, and would be restored as an object with one'
  const name = (value.constructor as { name?: string } | undefined)?.name || 'a class'
  return ` is an instance of ${name}`
}

/** Missing elements are restored as missing. */
function flawOfArray(values: readonly unknown[], seen: Set<object>): string | undefined {
  for (let at = 0; at < values.length; at++) {
    const flaw = flawOf(values[at], seen)
    if (flaw !== undefined) return `[${at}]${flaw}`
  }
  return Object.keys(values).length > values.length
    ? ' is an array with fields'
    : flawOfSymbols(values)
}

function flawOfMap(map: ReadonlyMap<unknown, unknown>, seen: Set<object>): string | undefined {
  for (const [key, value] of map) {
    const keyFlaw = flawOf(key, seen)
    if (keyFlaw !== undefined) return `.keys()${keyFlaw}`
    const flaw = flawOf(value, seen)
    if (flaw !== undefined) return `.get(${shown(key)})${flaw}`
  }
  return flawOfOwn(map)
}

function flawOfSet(set: ReadonlySet<unknown>, seen: Set<object>): string | undefined {
  for (const value of set) {
    const flaw = flawOf(value, seen)
    if (flaw !== undefined) return `.values()${flaw}`
  }
  return flawOfOwn(set)
}

function flawOfFields(value: object, seen: Set<object>): string | undefined {
  for (const name of Object.getOwnPropertyNames(value)) {
    const property = Object.getOwnPropertyDescriptor(value, name)!
    if (property.get !== undefined || property.set !== undefined) {
      return `${fieldName(name)} is a getter or a setter`
    }
    if (property.enumerable !== true) return `${fieldName(name)} is not enumerable`
    const flaw = flawOf(property.value, seen)
    if (flaw !== undefined) return fieldName(name) + flaw
  }
  return flawOfSymbols(value)
}

/** Built-ins are serialized by content; own fields would be lost. */
function flawOfOwn(value: object): string | undefined {
  const [name] = Object.getOwnPropertyNames(value)
  return name === undefined ? flawOfSymbols(value) : `${fieldName(name)} is a field of a built-in`
}

function flawOfSymbols(value: object): string | undefined {
  const [symbol] = Object.getOwnPropertySymbols(value)
  return symbol === undefined ? undefined : ` has a field named by a symbol`
}

const bytesPrototypes: ReadonlySet<unknown> = new Set(
  [
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView, ArrayBuffer, Buffer],
  ].map((kind) => kind.prototype as unknown),
)

function isPlainBytes(value: object, prototype: unknown): boolean {
  return bytesPrototypes.has(prototype) && !isShared(value)
}

/** Shared memory would be restored as a copy. */
function isShared(value: object): boolean {
  return ArrayBuffer.isView(value) && value.buffer instanceof SharedArrayBuffer
}

function fieldName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

function shown(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key) : String(key)
}

/** Deeper structures are left to `requireStorable`: types may be recursive. */
type DeepEnough = [0, 0, 0, 0, 0, 0]

/** Built-ins that the serializer supports although they have methods. */
type BuiltIn = Date | ArrayBuffer | ArrayBufferView

/** The part of a state of type `T` that cannot be stored, as text; `never` if there is none. */
type Flaw<T, Path extends string, Depth extends 0[] = []> = Depth extends DeepEnough
  ? never
  : unknown extends T // any, too
    ? never
    : T extends string | number | boolean | bigint | null | undefined
      ? never
      : T extends symbol
        ? `${Path} is a symbol`
        : T extends (...args: never) => unknown
          ? `${Path} is a function`
          : T extends BuiltIn
            ? never
            : T extends Promise<unknown>
              ? `${Path} is a Promise`
              : T extends ReadonlyMap<infer Key, infer Value>
                ? Flaw<Key | Value, `${Path}'s entries`, [...Depth, 0]>
                : T extends ReadonlySet<infer Element>
                  ? Flaw<Element, `${Path}'s elements`, [...Depth, 0]>
                  : T extends readonly (infer Element)[]
                    ? Flaw<Element, `${Path}[]`, [...Depth, 0]>
                    : {
                        [Name in keyof T]-?: Flaw<
                          T[Name],
                          `${Path}.${Name & string}`,
                          [...Depth, 0]
                        >
                      }[keyof T]

/**
 * Accepts everything if a state of type `S` can be stored, and nothing otherwise; the compiler's
 * error then names the offending part. Interfaces and type literals are treated alike.
 */
export type StorableState<S> = [Flaw<S, 'the state'>] extends [never]
  ? unknown
  : { readonly 'cannot be stored': Flaw<S, 'the state'> }
