// One option of a configuration: how its text is read and written, what it is without one, and
// when it may change. The tables of options are in configuration.ts and logOptions.ts, and those of
// topics and groups in controller/.

/** Kafka's types of values, as far as options here have them. */
export type ConfigType = 'int' | 'long' | 'double' | 'boolean' | 'string' | 'list'

/**
 * When a broker option may change. `read-only` options come from the file and hold until the next
 * start; `cluster-wide` ones can be set while the broker runs, for all brokers or for one.
 */
export type UpdateMode = 'read-only' | 'cluster-wide'

/** One option: how its text is read, what it is without one, and what it is for. */
export interface ConfigOption<Value> {
  readonly type: ConfigType
  readonly default: Value
  /** Allowed values, for people: `0 to 1000`, `group or os`. */
  readonly bounds: string
  readonly doc: string
  readonly updateMode: UpdateMode
  /** Why setting it changes nothing: it is accepted because Kafka's tools and clients set it. */
  readonly noEffect?: string
  /** The value, or undefined when the text is not one within the bounds. */
  readonly parse: (text: string) => Value | undefined
}

export const int32Max = 2 ** 31 - 1
/**
 * Kafka's largest long is beyond what a number holds exactly. Values above this are read as this
 * one, which is "never" for every time and size; their text is kept where they were set.
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

/** An integer that may be left out: then another option says what holds. */
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

/** The same option, accepted for the sake of Kafka's tools and without effect here, for `reason`. */
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
 * Words separated by commas, each of which `isElement` accepts. The value is their text without
 * blanks, so that two spellings of one list are one value.
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

/** The same option, which must say something. */
export function nonEmpty(option: ConfigOption<string>): ConfigOption<string> {
  return { ...option, parse: (text) => option.parse(text) || undefined }
}

/** The same option, changeable while the broker runs. */
export function dynamic<Value>(option: ConfigOption<Value>): ConfigOption<Value> {
  return { ...option, updateMode: 'cluster-wide' }
}

/** The words of a list's text, in their order. */
export function listElements(text: string): string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(',').map((element) => element.trim())
}

/** A value as Kafka writes it; null when an option has none. */
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
