// Options of a component as one table: key, type, default, bounds, one line of documentation. The
// typed values, the checks and the documentation all come from it. A value that cannot be used is
// an OptionError that names file, line and property; the caller drops the component.

import { AgentError } from '../errors.ts'
import type { ComponentConfiguration, ConfigurationProblem } from './flumeConfiguration.ts'
import { formatProblem, problemOf } from './flumeConfiguration.ts'

interface Described {
  readonly doc: string
  readonly required?: true
}

export type OptionSpec =
  | (Described & { readonly type: 'string'; readonly default?: string })
  | (Described & { readonly type: 'boolean'; readonly default?: boolean })
  | (Described & {
      readonly type: 'integer'
      readonly default?: number
      readonly min?: number
      readonly max?: number
    })
  /** Names split at white space. */
  | (Described & { readonly type: 'list'; readonly default?: readonly string[] })
  /** Every key that starts with this one and a dot, such as `kafka.producer`. */
  | (Described & { readonly type: 'prefix' })

export type OptionTable = Readonly<Record<string, OptionSpec>>

interface ValueOf {
  string: string
  boolean: boolean
  integer: number
  list: readonly string[]
  prefix: ReadonlyMap<string, string>
}

type Certain<S extends OptionSpec> = S extends
  | { required: true }
  | { default: string | number | boolean | readonly string[] }
  | { type: 'prefix' }
  ? true
  : false

export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: Certain<T[K]> extends true
    ? ValueOf[T[K]['type']]
    : ValueOf[T[K]['type']] | undefined
}

/** What a component cannot be built from. */
export class OptionError extends AgentError {
  readonly problem: ConfigurationProblem
  constructor(problem: ConfigurationProblem) {
    super('CONFIGURATION', formatProblem(problem))
    this.problem = problem
  }
}

/** Options of every component; the rest of their keys are in the component's own table. */
const commonKeys: Readonly<Record<string, readonly string[]>> = {
  sources: ['type', 'channels', 'selector', 'interceptors'],
  channels: ['type'],
  sinks: ['type', 'channel'],
}

export function readOptions<const T extends OptionTable>(
  table: T,
  component: ComponentConfiguration,
): OptionValues<T> {
  const values = Object.entries(table).map(([key, spec]) => [key, read(key, spec, component)])
  return Object.fromEntries(values) as OptionValues<T>
}

/** A complaint for every key that the table does not know: mostly slips of the pen. */
export function unknownKeys(
  table: OptionTable,
  component: ComponentConfiguration,
): ConfigurationProblem[] {
  const known = [...(commonKeys[component.kind] ?? []), ...Object.keys(table)]
  return [...component.properties]
    .filter(([key]) => !known.some((name) => key === name || key.startsWith(`${name}.`)))
    .map(([, property]) => problemOf(property, 'no such option: ignored'))
}

/** The problem of one key of a component, whether it is there or missing. */
export function optionError(
  component: ComponentConfiguration,
  key: string,
  message: string,
): OptionError {
  const property = component.properties.get(key)
  if (property !== undefined) return new OptionError(problemOf(property, message))
  const { file, path } = component
  return new OptionError({ file, line: 0, property: `${path}.${key}`, message })
}

function read(key: string, spec: OptionSpec, component: ComponentConfiguration): unknown {
  if (spec.type === 'prefix') return subProperties(component, key)
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    if (spec.required) throw optionError(component, key, `missing, but required: ${spec.doc}`)
    return spec.default
  }
  if (spec.type === 'string') return text
  if (spec.type === 'list') return text.split(/\s+/)
  if (spec.type === 'boolean') return text.toLowerCase() === 'true'
  return integer(key, text, spec, component)
}

function integer(
  key: string,
  text: string,
  spec: Extract<OptionSpec, { type: 'integer' }>,
  component: ComponentConfiguration,
): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  if (!(value >= min && value <= max)) {
    throw optionError(component, key, `'${text}' is not a whole number from ${min} to ${max}`)
  }
  return value
}

function subProperties(
  component: ComponentConfiguration,
  key: string,
): ReadonlyMap<string, string> {
  const inner = new Map<string, string>()
  for (const [name, property] of component.properties) {
    if (name.startsWith(`${key}.`)) inner.set(name.slice(key.length + 1), property.value)
  }
  return inner
}
