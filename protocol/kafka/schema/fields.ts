// The vocabulary in which messages are declared: one function per wire type, with the versions of
// the field and its options. A table of fields is data; the TypeScript types of encoded and decoded
// messages are inferred from it, so that there is no second description. Must never encode or
// decode: that is structCodec.ts.

import { assert } from '../../runtime/assert.ts'
import { noVersions, type VersionRange, versionRange } from './versionRange.ts'

export type PrimitiveName =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'bits64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'

export type FieldType =
  | { readonly kind: PrimitiveName }
  | { readonly kind: 'array'; readonly element: FieldType; readonly versions: VersionRange }
  | { readonly kind: 'struct'; readonly fields: Fields; readonly versions: VersionRange }

/** Options of a field. */
export interface FieldOptions<T = unknown> {
  /** Versions in which the field may be null. */
  readonly nullable?: string
  /**
   * Value if the field is absent or not in the version. Default: Kafka's zero value of the type.
   */
  readonly default?: T | null
  /** A value that the version cannot carry is dropped; otherwise it is an error. */
  readonly ignorable?: true
  /** Tag of a tagged field, which is sent only if it is not the default. */
  readonly tag?: number
}

/**
 * One field. `Output` is what decoding gives, `Input` what encoding accepts; the type parameters
 * live in properties that never exist at run time.
 */
export interface Field<
  Output = unknown,
  Input = unknown,
  Versions extends string = string,
  HasDefault extends boolean = boolean,
> {
  readonly type: FieldType
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly ignorable: boolean
  readonly tag: number | undefined
  readonly hasDefault: boolean
  /** The default, Kafka's zero of the type when the table gives none. */
  readonly defaultValue: unknown
  readonly inferred?: [output: Output, input: Input, versions: Versions, hasDefault: HasDefault]
}

export type Fields = Readonly<Record<string, Field>>

/** Result of decoding a table: every field, in every version. */
export type OutputOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer Output> ? Output : never
}

/**
 * Input for encoding a table. A field is required if every version of its parent has it and it has
 * no default; all others are optional.
 */
export type InputOf<F extends Fields, ParentVersions extends string = '0+'> = Merged<
  { readonly [K in RequiredKey<F, ParentVersions>]: InputValue<F[K]> } & {
    readonly [K in Exclude<keyof F, RequiredKey<F, ParentVersions>>]?: InputValue<F[K]> | undefined
  }
>

type Merged<T> = { [K in keyof T]: T[K] }
type InputValue<F> = F extends Field<unknown, infer Input> ? Input : never
type RequiredKey<F extends Fields, ParentVersions extends string> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, '0+' | ParentVersions, false> ? K : never
}[keyof F]

/** The same rule at run time. */
export function isRequired(field: Field, parent: VersionRange): boolean {
  if (field.hasDefault) return false
  return field.versions.text === '0+' || field.versions.text === parent.text
}

type OrNull<T, O> = O extends { readonly nullable: string } ? T | null : T
type Defaulted<O> = O extends { readonly default: unknown } | { readonly tag: number }
  ? true
  : false
type FieldOf<Output, Input, V extends string, O> = Field<
  OrNull<Output, O>,
  OrNull<Input, O>,
  V,
  Defaulted<O>
>

interface ElementType<Output, Input> {
  readonly element: { readonly kind: PrimitiveName }
  readonly inferred?: [output: Output, input: Input]
}

/** A wire type: called, it declares a field; passed, it is the element type of an array. */
export interface Primitive<Output, Input = Output> extends ElementType<Output, Input> {
  <const V extends string, const O extends FieldOptions<Output> = Record<never, never>>(
    versions: V,
    options?: O,
  ): FieldOf<Output, Input, V, O>
}

export const zeroUuid = '00000000-0000-0000-0000-000000000000'

const noBytes = Buffer.alloc(0)

export const bool = primitive<boolean>('bool', false)
export const int8 = primitive<number>('int8', 0)
export const int16 = primitive<number>('int16', 0)
export const int32 = primitive<number>('int32', 0)
/** A number; malformed outside of the safe integers. */
export const int64 = primitive<number>('int64', 0)
/** All 64 bits as a bigint: for values that are only compared, such as hashes. */
export const bits64 = primitive<bigint>('bits64', 0n)
export const float64 = primitive<number>('float64', 0)
/** 36 characters, lower-case hex with dashes. */
export const uuid = primitive<string>('uuid', zeroUuid)
export const string = primitive<string>('string', '')
/** Decoded as a view of the input: copy it to keep it. */
export const bytes = primitive<Buffer, Uint8Array>('bytes', noBytes)
/** Opaque record batches; a view of the input, like `bytes`. */
export const records = primitive<Buffer, Uint8Array>('records', noBytes)

type Element = ElementType<unknown, unknown> | Fields
type ElementOutput<E> =
  E extends ElementType<infer Output, unknown> ? Output : E extends Fields ? OutputOf<E> : never
type ElementInput<E, V extends string> =
  E extends ElementType<unknown, infer Input> ? Input : E extends Fields ? InputOf<E, V> : never

export function array<
  const V extends string,
  const E extends Element,
  const O extends FieldOptions<null> = Record<never, never>,
>(
  versions: V,
  element: E,
  options?: O,
): FieldOf<readonly ElementOutput<E>[], readonly ElementInput<E, V>[], V, O> {
  const range = versionRange(versions)
  const elementType: FieldType = isPrimitive(element)
    ? element.element
    : { kind: 'struct', fields: element, versions: range }
  return field({ kind: 'array', element: elementType, versions: range }, range, [], options)
}

export function struct<
  const V extends string,
  const F extends Fields,
  const O extends FieldOptions<null> = Record<never, never>,
>(versions: V, fields: F, options?: O): FieldOf<OutputOf<F>, InputOf<F, V>, V, O> {
  const range = versionRange(versions)
  return field({ kind: 'struct', fields, versions: range }, range, defaultsOf(fields), options)
}

/** Default value of a struct, with fields in the order of the table. */
export function defaultsOf(fields: Fields): Readonly<Record<string, unknown>> {
  const defaults: Record<string, unknown> = {}
  for (const [name, { defaultValue }] of Object.entries(fields)) defaults[name] = defaultValue
  return Object.freeze(defaults)
}

function primitive<Output, Input = Output>(
  kind: PrimitiveName,
  zero: Output,
): Primitive<Output, Input> {
  const declare = <const V extends string, const O extends FieldOptions<Output>>(
    versions: V,
    options?: O,
  ): FieldOf<Output, Input, V, O> => field({ kind }, versionRange(versions), zero, options)
  return Object.assign(declare, { element: { kind } })
}

function isPrimitive(element: Element): element is ElementType<unknown, unknown> {
  return typeof element === 'function'
}

/** Defaults are shared by all decoded messages, and therefore frozen. */
function field(
  type: FieldType,
  versions: VersionRange,
  zero: unknown,
  options: FieldOptions = {},
): Field<never, never, never, never> {
  const nullable = options.nullable === undefined ? noVersions : versionRange(options.nullable)
  assert(options.default !== null || nullable !== noVersions, 'a null default needs nullable')
  if (Array.isArray(zero)) Object.freeze(zero)
  return {
    type,
    versions,
    nullable,
    ignorable: options.ignorable === true,
    tag: options.tag,
    hasDefault: options.default !== undefined || options.tag !== undefined,
    defaultValue: options.default === undefined ? zero : options.default,
  }
}
