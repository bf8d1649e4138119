// Options of a program as one table: key, type, default, bounds and a line of documentation.
// Values, error messages and pages of the documentation come from the table, so that they cannot
// differ. This is the only place where the text of an option becomes a typed value. It knows no
// file format: a program whose format accepts more than the plain form (blanks, any case, Java's
// longs) normalises the text first.

interface Described {
  readonly doc: string
}

/** An option with a value. Without a default, the value of an absent option is undefined. */
export type ValueSpec =
  | (Described & {
      readonly type: 'string'
      readonly default?: string
      /** Allowed values; any text unless given. */
      readonly choices?: readonly string[]
    })
  | (Described & { readonly type: 'boolean'; readonly default?: boolean })
  | (Described & {
      readonly type: 'integer'
      readonly default?: number
      /** 0 unless given. */
      readonly min?: number
      readonly max?: number
    })
  | (Described & {
      readonly type: 'double'
      readonly default?: number
      /** Least value; 0 unless given. */
      readonly min?: number
      /** Bound that the value must exceed, in place of `min`. */
      readonly above?: number
      readonly max?: number
    })
  | (Described & {
      readonly type: 'list'
      readonly default?: readonly string[]
      /** White space unless given; blanks around a comma are no part of the elements. */
      readonly separator?: ','
      /** Whether a text may be an element; any text unless given. */
      readonly isElement?: (text: string) => boolean
    })

export type ValueTable = Readonly<Record<string, ValueSpec>>

export interface ValueTypes {
  readonly string: string
  readonly boolean: boolean
  readonly integer: number
  readonly double: number
  readonly list: readonly string[]
}

/** The values of a table's options, by key. */
export type TableValues<T extends ValueTable> = {
  readonly [K in keyof T]: T[K] extends { readonly default: unknown }
    ? ValueTypes[T[K]['type']]
    : ValueTypes[T[K]['type']] | undefined
}

/** What a program does with an option that it cannot use. */
export interface OptionFaults {
  /** Returns to ignore the option, or throws. */
  unknown(key: string, text: string): void
  invalid(key: string, text: string, bounds: string): never
}

/** Returns the values of all options: those given, checked, and the defaults of the others. */
export function readTable<const T extends ValueTable>(
  table: T,
  given: Readonly<Record<string, string>>,
  faults: OptionFaults,
): TableValues<T> {
  const values: Record<string, unknown> = {}
  for (const [key, spec] of Object.entries(table)) values[key] = spec.default
  for (const [key, text] of Object.entries(given)) {
    const spec = Object.hasOwn(table, key) ? table[key] : undefined
    if (spec === undefined) {
      faults.unknown(key, text)
      continue
    }
    const value = parseValue(spec, text)
    if (value === undefined) faults.invalid(key, text, boundsOf(spec))
    values[key] = value
  }
  return values as TableValues<T>
}

/** Returns the value of `text`; undefined when it is not of the type or out of bounds. */
export function parseValue<S extends ValueSpec>(
  spec: S,
  text: string,
): ValueTypes[S['type']] | undefined {
  return parseAny(spec, text) as ValueTypes[S['type']] | undefined
}

function parseAny(spec: ValueSpec, text: string): ValueTypes[ValueSpec['type']] | undefined {
  switch (spec.type) {
    case 'string':
      return spec.choices === undefined || spec.choices.includes(text) ? text : undefined
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'integer':
      return within(wholeNumber(text), spec.min ?? 0, spec.max ?? Number.MAX_SAFE_INTEGER)
    case 'double': {
      const value = within(decimal(text), spec.above ?? spec.min ?? 0, spec.max ?? Number.MAX_VALUE)
      return value === spec.above ? undefined : value
    }
    case 'list': {
      const elements = splitList(text, spec.separator)
      return elements.every(spec.isElement ?? (() => true)) ? elements : undefined
    }
  }
}

/** Returns the elements of a list; without a separator, the words between white space. */
export function splitList(text: string, separator?: ','): string[] {
  if (separator === undefined) return text.split(/\s+/)
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(separator).map((element) => element.trim())
}

/** Returns the allowed values, for people: `true or false`, `an integer of at least 1`. */
export function boundsOf(spec: ValueSpec): string {
  switch (spec.type) {
    case 'string':
      return spec.choices?.join(' or ') ?? 'any text'
    case 'boolean':
      return 'true or false'
    case 'integer':
      return `an integer ${rangeText(spec.min ?? 0, spec.max)}`
    case 'double':
      if (spec.above === undefined) return `a number ${rangeText(spec.min ?? 0, spec.max)}`
      return `a number above ${spec.above}${spec.max === undefined ? '' : `, up to ${spec.max}`}`
    case 'list':
      return `words separated by ${spec.separator === ',' ? 'commas' : 'blanks'}`
  }
}

/** NaN for text that is not an integer of Java's long at most. */
export function wholeNumber(text: string): number {
  return /^[+-]?\d{1,19}$/.test(text) ? Number(text) : Number.NaN
}

function decimal(text: string): number {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined
}

function rangeText(min: number, max: number | undefined): string {
  return max === undefined ? `of at least ${min}` : `from ${min} to ${max}`
}
