// The kinds of options: how the text of a value is read and written, its default and bounds, and
// when it may change. Pure functions. The tables made of them are brokerOptions.ts, logDefaults.ts,
// topicOptions.ts and groupSettings.ts.

/** The types of Kafka's ConfigDef that options here have. */
export type ConfigType = 'int' | 'long' | 'double' | 'boolean' | 'string' | 'list'

/**
 * When a broker option may change. A `read-only` option is read at start. A `cluster-wide` option
 * can be set while the broker runs, for all brokers or for one.
 */
export type UpdateMode = 'read-only' | 'cluster-wide'

/** An option: its type, default, bounds, documentation and parser. */
export interface ConfigOption<Value> {
  readonly type: ConfigType
  readonly default: Value
  /** The allowed values, for messages: `0 to 1000`, `group or os`. */
  readonly bounds: string
  readonly doc: string
  readonly updateMode: UpdateMode
  /** Why the option has no effect here: it is accepted because Kafka's tools and clients set it. */
  readonly noEffect?: string
  /** Returns the value, or undefined for a text that is not a value within the bounds. */
  readonly parse: (text: string) => Value | undefined
}

export const int32Max = 2 ** 31 - 1
/**
 * A number does not hold Kafka's largest long exactly. Larger values are read as this one, which
 * means "never" for every time and size; their text is kept where they were set.
 */
export const int64Max = Number.MAX_SAFE_INTEGER
const kafkaLongMax = 2n ** 63n - 1n

export function integer(
  standard: number,
  min: number,
  max: number,
  doc: string,
): ConfigOption<number> {
  return {
    type: max > int32Max ? 'long' : 'int',
    default: standard,
    bounds: max === int64Max ? `${min} or more` : `${min} to ${max}`,
    doc,
    updateMode: 'read-only',
    parse: (text) => parseInteger(text, min, max),
  }
}

/** An integer without a default: another option is in force where this one has no value. */
export function optionalInteger(
  min: number,
  max: number,
  doc: string,
): ConfigOption<number | undefined> {
  return { ...integer(min, min, max, doc), default: undefined }
}

/** A number with a fraction. */
export function double(
  standard: number,
  min: number,
  max: number,
  doc: string,
): ConfigOption<number> {
  const parse = (text: string) => {
    const value = Number(text)
    const isNumber = text.trim() !== '' && !/^[+-]?0[xbo]/i.test(text.trim())
    return isNumber && value >= min && value <= max ? value : undefined
  }
  const bounds = max === Number.MAX_VALUE ? `${min} or more` : `${min} to ${max}`
  return { type: 'double', default: standard, bounds, doc, updateMode: 'read-only', parse }
}

const booleans = new Map([
  ['true', true],
  ['false', false],
])

export function boolean(standard: boolean, doc: string): ConfigOption<boolean> {
  const parse = (text: string) => booleans.get(text.trim().toLowerCase())
  return {
    type: 'boolean',
    default: standard,
    bounds: 'true or false',
    doc,
    updateMode: 'read-only',
    parse,
  }
}

/** An option that is accepted for Kafka's tools and has no effect here, for `reason`. */
export function withoutEffect<Value>(
  option: (doc: string) => ConfigOption<Value>,
  reason: string,
): ConfigOption<Value> {
  return { ...option(`Kept for Kafka tools: ${reason}.`), noEffect: reason }
}

export function string(standard: string, doc: string): ConfigOption<string> {
  return {
    type: 'string',
    default: standard,
    bounds: 'any text',
    doc,
    updateMode: 'read-only',
    parse: (text) => text,
  }
}

export function choice<const C extends string>(
  choices: readonly C[],
  standard: NoInfer<C>,
  doc: string,
): ConfigOption<C> {
  return {
    type: 'string',
    default: standard,
    bounds: choices.join(' or '),
    doc,
    updateMode: 'read-only',
    parse: (text) => choices.find((value) => value === text),
  }
}

/**
 * Elements separated by commas, each accepted by `isElement`. The value is the text without blanks,
 * so that two spellings of a list are equal.
 */
export function list(
  standard: string,
  bounds: string,
  isElement: (element: string) => boolean,
  doc: string,
): ConfigOption<string> {
  return {
    type: 'list',
    default: standard,
    bounds,
    doc,
    updateMode: 'read-only',
    parse(text) {
      const elements = listElements(text)
      return elements.every(isElement) ? elements.join(',') : undefined
    },
  }
}

/** The same option, which must have at least one element. */
export function nonEmpty(option: ConfigOption<string>): ConfigOption<string> {
  return { ...option, parse: (text) => option.parse(text) || undefined }
}

/** The same option, changeable while the broker runs. */
export function dynamic<Value>(option: ConfigOption<Value>): ConfigOption<Value> {
  return { ...option, updateMode: 'cluster-wide' }
}

/** The elements of a list, in their order. */
export function listElements(text: string): string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(',').map((element) => element.trim())
}

/** The text of a value as Kafka writes it; null for an option without a value. */
export function configText(value: unknown): string | null {
  if (value === undefined) return null
  return value === int64Max ? String(kafkaLongMax) : String(value)
}

function parseInteger(text: string, min: number, max: number): number | undefined {
  const digits = text.trim()
  if (!/^[+-]?\d{1,19}$/.test(digits)) return undefined
  const value = Number(digits)
  if (value < min || value > max) {
    return max === int64Max && value > max && BigInt(digits) <= kafkaLongMax ? max : undefined
  }
  return value
}
