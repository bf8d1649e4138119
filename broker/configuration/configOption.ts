// The kinds of broker options: value specs of protocol/configuration/optionTable.ts, which parses
// and checks their texts, with what Kafka adds: its type names, blanks around a value, any case of
// a boolean, longs beyond JavaScript's integers, and when an option may change. Pure functions. The
// tables made of them are brokerOptions.ts, logDefaults.ts, topicOptions.ts and groupSettings.ts.

import {
  boundsOf,
  parseValue,
  splitList,
  type ValueSpec,
  wholeNumber,
} from '../../protocol/configuration/optionTable.ts'

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
  const spec = { type: 'integer', min, max, doc } as const
  return {
    type: max > int32Max ? 'long' : 'int',
    default: standard,
    bounds: max === int64Max ? `${min} or more` : `${min} to ${max}`,
    doc,
    updateMode: 'read-only',
    parse: (text) => parseValue(spec, clampedLong(text.trim())),
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
  const spec = { type: 'double', min, max, doc } as const
  return {
    type: 'double',
    default: standard,
    bounds: max === Number.MAX_VALUE ? `${min} or more` : `${min} to ${max}`,
    doc,
    updateMode: 'read-only',
    parse: (text) => parseValue(spec, text.trim()),
  }
}

export function boolean(standard: boolean, doc: string): ConfigOption<boolean> {
  const spec = { type: 'boolean', doc } as const
  return {
    type: 'boolean',
    default: standard,
    bounds: boundsOf(spec),
    doc,
    updateMode: 'read-only',
    parse: (text) => parseValue(spec, text.trim().toLowerCase()),
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
  return textOption({ type: 'string', doc }, standard)
}

export function choice<const C extends string>(
  choices: readonly C[],
  standard: NoInfer<C>,
  doc: string,
): ConfigOption<C> {
  return textOption({ type: 'string', choices, doc }, standard) as ConfigOption<C>
}

/** Blanks around a text are part of it. */
function textOption(spec: Extract<ValueSpec, { type: 'string' }>, standard: string) {
  const option: ConfigOption<string> = {
    type: 'string',
    default: standard,
    bounds: boundsOf(spec),
    doc: spec.doc,
    updateMode: 'read-only',
    parse: (value) => parseValue(spec, value),
  }
  return option
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
  const spec = { type: 'list', separator: ',', isElement, doc } as const
  return {
    type: 'list',
    default: standard,
    bounds,
    doc,
    updateMode: 'read-only',
    parse: (text) => parseValue(spec, text)?.join(','),
  }
}

/** The same option, which must have at least one element. */
export function nonEmpty(option: ConfigOption<string>): ConfigOption<string> {
  return restricted(option, option.bounds, (elements) => elements !== '')
}

/** The same option with fewer values: those that `isAllowed` accepts and `bounds` describes. */
export function restricted<Value>(
  option: ConfigOption<Value>,
  bounds: string,
  isAllowed: (value: Value) => boolean,
): ConfigOption<Value> {
  const parse = (text: string) => {
    const value = option.parse(text)
    return value !== undefined && isAllowed(value) ? value : undefined
  }
  return { ...option, bounds, parse }
}

/** The same option, changeable while the broker runs. */
export function dynamic<Value>(option: ConfigOption<Value>): ConfigOption<Value> {
  return { ...option, updateMode: 'cluster-wide' }
}

/** The elements of a list, in their order. */
export function listElements(text: string): string[] {
  return splitList(text, ',')
}

/** The text of a value as Kafka writes it; null for an option without a value. */
export function configText(value: unknown): string | null {
  if (value === undefined) return null
  return value === int64Max ? String(kafkaLongMax) : String(value)
}

function clampedLong(digits: string): string {
  const isLarger = wholeNumber(digits) > int64Max && BigInt(digits) <= kafkaLongMax
  return isLarger ? String(int64Max) : digits
}
