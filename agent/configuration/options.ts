// Options of a component as one table (protocol/configuration/optionTable.ts), with Flume's rules on top.
// Typed values, checks and documentation come from it. `checkOptions` lists every problem of a
// component's options at once; `readOptions` returns their values, and throws an OptionError for a value
// that cannot be used.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import {
  parseValue,
  type ValueSpec,
  type ValueTypes,
  wholeNumber,
} from '../../protocol/configuration/optionTable.ts'
import { AgentError } from '../errors.ts'
import type { ComponentConfiguration, ConfigurationProblem } from './flumeConfiguration.ts'
import { formatProblem, problemOf } from './flumeConfiguration.ts'
import type { Property } from './properties.ts'
import { asksForSecurity } from './securityKeys.ts'

/** What Flume does with an option, beside its value. */
interface FlumeRules {
  readonly required?: true
  /** A value below `min` is a warning, and the default is used, as Flume does for some keys. */
  readonly belowMin?: 'default'
}

type ComponentValueSpec = Exclude<ValueSpec, { type: 'double' }> & FlumeRules

export type OptionSpec =
  | ComponentValueSpec
  /** Every key that starts with this one and a dot, such as `header`. */
  | { readonly type: 'prefix'; readonly doc: string }
  /**
   * A key of Flume, or all keys below it, that has no effect here; `doc` says why. Each one in a
   * configuration is a warning, unless its value is one of `harmless`: what happens anyway.
   */
  | { readonly type: 'ignored'; readonly doc: string; readonly harmless?: readonly string[] }
  /**
   * A security setting, or all keys below it, that is not implemented; `doc` says what to do. It is
   * an error unless its value is one of `harmless`.
   */
  | { readonly type: 'security'; readonly doc: string; readonly harmless?: readonly string[] }

export type OptionTable = Readonly<Record<string, OptionSpec>>

interface ValueOf extends ValueTypes {
  prefix: ReadonlyMap<string, string>
  ignored: undefined
  security: undefined
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

/** An option with which a component cannot be built. */
export class OptionError extends AgentError {
  readonly problem: ConfigurationProblem
  constructor(problem: ConfigurationProblem) {
    super('CONFIGURATION', formatProblem(problem))
    this.problem = problem
  }
}

/** Options of every component of a kind; the rest of their keys are in the component's own table. */
const commonKeys = {
  sources: ['type', 'channels', 'selector.type', 'interceptors'],
  channels: ['type'],
  sinks: ['type', 'channel'],
  sinkgroups: [],
  configfilters: ['type'],
  interceptors: ['type'],
} as const

export function readOptions<const T extends OptionTable>(
  table: T,
  component: ComponentConfiguration,
): OptionValues<T> {
  const values = Object.entries(table).map(([key, spec]) => [key, read(key, spec, component)])
  return Object.fromEntries(values) as OptionValues<T>
}

/**
 * Lists every problem of a component's options. `kind` names the keys that all components of
 * a kind have; keys below those of `elsewhere` (and a dot) are checked by the caller.
 */
export function checkOptions(
  table: OptionTable,
  component: ComponentConfiguration,
  elsewhere: readonly string[] = [],
  kind: keyof typeof commonKeys = component.kind,
): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = []
  for (const [key, spec] of Object.entries(table)) {
    const property = component.properties.get(key)
    try {
      read(key, spec, component)
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
      problems.push(error.problem)
    }
    if (property !== undefined) problems.push(...doubtful(spec, property))
  }
  const known: string[] = [...commonKeys[kind], ...Object.keys(table)]
  for (const [key, property] of component.properties) {
    if (elsewhere.some((prefix) => key.startsWith(`${prefix}.`))) continue
    if (table[key]?.type === 'prefix') {
      problems.push(problemOf(property, `ignored: expected ${key}.<name>`))
    }
    if (known.includes(key) && !isGroup(table[key])) continue
    problems.push(...strange(table, known, key, property))
  }
  return problems
}

/** The problem of one key of a component, set or missing. */
export function optionError(
  component: ComponentConfiguration,
  key: string,
  message: string,
): OptionError {
  const property = component.properties.get(key)
  if (property !== undefined) return new OptionError(problemOf(property, message, 'error'))
  const { file, path } = component
  const severity = 'error'
  return new OptionError({ severity, file, line: 0, property: `${path}.${key}`, message })
}

/** A value for a message; says so when it looks as if a comment had become part of it. */
export function quoted(value: string): string {
  const hint = /\s[#!]/.test(value)
    ? " (a comment needs a line of its own: behind a value, '#' is part of the value)"
    : ''
  return `'${value}'${hint}`
}

function isGroup(spec: OptionSpec | undefined): boolean {
  return spec?.type === 'security' || spec?.type === 'ignored'
}

/** Warnings for values that are accepted but may not mean what they say. */
function doubtful(spec: OptionSpec, property: Property): ConfigurationProblem[] {
  const { value } = property
  if (spec.type === 'boolean' && !/^(?:true|false)$/i.test(value)) {
    return [problemOf(property, `${quoted(value)} is neither true nor false: false is used`)]
  }
  if (spec.type !== 'integer' || !isBelowMin(spec, value)) return []
  return [problemOf(property, `${value} is less than ${spec.min}: ${spec.default} is used`)]
}

/** Problems of a key without a value here: below a prefix, without effect, not implemented, or unknown. */
function strange(
  table: OptionTable,
  known: readonly string[],
  key: string,
  property: Property,
): ConfigurationProblem[] {
  const { value } = property
  const [, group] =
    Object.entries(table).find(([name]) => key === name || key.startsWith(`${name}.`)) ?? []
  if (group?.type === 'prefix') return []
  if (group?.type === 'ignored') {
    if (group.harmless?.includes(value.toLowerCase())) return []
    return [problemOf(property, `has no effect: ${group.doc}`)]
  }
  if (group?.type === 'security') {
    if (group.harmless?.includes(value.toLowerCase())) return []
    return [problemOf(property, `not supported yet, and not ignored: ${group.doc}`, 'error')]
  }
  const nearest = nearestKey(key, known)
  const isMisspelledSecurity = nearest !== undefined && table[nearest]?.type === 'security'
  if (isMisspelledSecurity || asksForSecurity(key, value)) {
    return [
      problemOf(
        property,
        `a security setting that this component does not have, and that is not ignored: remove it if the component needs no encryption or authentication${nearest === undefined ? '' : `; or did you mean ${nearest}?`}`,
        'error',
      ),
    ]
  }
  const meant = nearest === undefined ? '' : `: did you mean ${nearest}?`
  return [problemOf(property, `no such option: ignored${meant}`)]
}

/** Also finds a name that the key continues: `encrpytion.keyProvider` is near `encryption`. */
function nearestKey(key: string, known: readonly string[]): string | undefined {
  const first = key.split('.')[0]!
  return nearestName(key, known) ?? (first === key ? undefined : nearestName(first, known))
}

function read(key: string, spec: OptionSpec, component: ComponentConfiguration): unknown {
  if (spec.type === 'prefix') return subProperties(component, key)
  if (spec.type === 'ignored' || spec.type === 'security') return undefined
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    if (spec.required) throw optionError(component, key, `missing, but required: ${spec.doc}`)
    return spec.default
  }
  // Java reads every text that is not `true` as false.
  if (spec.type === 'boolean') return parseValue(spec, text.toLowerCase()) ?? false
  if (spec.type !== 'integer') return parseValue(spec, text)
  if (isBelowMin(spec, text)) return spec.default
  const value = parseValue(spec, clampedLong(text))
  if (value !== undefined) return value
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  throw optionError(component, key, `${quoted(text)} is not an integer from ${min} to ${max}`)
}

type IntegerSpec = Extract<OptionSpec, { type: 'integer' }>

function isBelowMin(spec: IntegerSpec, text: string): boolean {
  return spec.belowMin === 'default' && wholeNumber(text) < (spec.min ?? 0)
}

/** Java's largest long stands for no limit: larger numbers than JavaScript's are read as its largest. */
function clampedLong(text: string): string {
  return wholeNumber(text) > Number.MAX_SAFE_INTEGER ? String(Number.MAX_SAFE_INTEGER) : text
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
