// The options of a component as one table (protocol/configuration/optionTable.ts), with Flume's
// rules on top. Typed values, checks and documentation come from the table. `checkOptions` lists
// every problem of a component's options at once; `readOptions` returns the values, and throws an
// OptionError for an invalid one. A security setting must never be ignored silently.

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

/** Flume's rules for an option, in addition to its type. */
interface FlumeRules {
  readonly required?: true
  /** A value below `min` is a warning and the default is used, as in Flume for some keys. */
  readonly belowMin?: 'default'
}

type ComponentValueSpec = Exclude<ValueSpec, { type: 'double' }> & FlumeRules

export type OptionSpec =
  | ComponentValueSpec
  /** Stands for every key that starts with this one and a dot, such as `header`. */
  | { readonly type: 'prefix'; readonly doc: string }
  /**
   * A key of Flume, or all keys below it, without effect here; `doc` is the reason, a clause
   * without capital and full stop. A warning, unless the value is in `harmless`: what happens
   * anyway.
   */
  | { readonly type: 'ignored'; readonly doc: string; readonly harmless?: readonly string[] }
  /**
   * A security setting, or all keys below it, that is not implemented; `doc` is a clause that says
   * what to do. An error, unless the value is in `harmless`.
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

/** An invalid option: the component cannot be built with it. */
export class OptionError extends AgentError {
  readonly problem: ConfigurationProblem
  constructor(problem: ConfigurationProblem) {
    super('CONFIGURATION', formatProblem(problem))
    this.problem = problem
  }
}

/** Keys that every component of a kind has; its other keys are in the component's own table. */
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
 * Lists every problem of a component's options. `kind` selects the keys that all components of
 * a kind have. Keys below a prefix in `elsewhere` are left to the caller.
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

/** Returns the error for one key of a component, whether the key is set or missing. */
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

/** Quotes a value for a message, with a hint if a comment seems to have become part of it. */
export function quoted(value: string): string {
  const hint = /\s[#!]/.test(value)
    ? " (a comment needs its own line: after a value, '#' is part of the value)"
    : ''
  return `'${value}'${hint}`
}

function isGroup(spec: OptionSpec | undefined): boolean {
  return spec?.type === 'security' || spec?.type === 'ignored'
}

/** Warnings for accepted values that may not have the intended meaning. */
function doubtful(spec: OptionSpec, property: Property): ConfigurationProblem[] {
  const { value } = property
  if (spec.type === 'boolean' && !/^(?:true|false)$/i.test(value)) {
    return [problemOf(property, `${quoted(value)} is neither true nor false: using false`)]
  }
  if (spec.type !== 'integer' || !isBelowMin(spec, value)) return []
  return [problemOf(property, `${value} is less than ${spec.min}: using ${spec.default}`)]
}

/**
 * Problems of a key that has no value here: below a prefix, without effect, not implemented,
 * unknown.
 */
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
    return [
      problemOf(property, `security setting that is not supported yet: ${group.doc}`, 'error'),
    ]
  }
  const nearest = nearestKey(key, known)
  const isMisspelledSecurity = nearest !== undefined && table[nearest]?.type === 'security'
  if (isMisspelledSecurity || asksForSecurity(key, value)) {
    return [
      problemOf(
        property,
        `unknown security setting, which is not ignored: remove it if the component needs no encryption or authentication${nearest === undefined ? '' : `; or did you mean ${nearest}?`}`,
        'error',
      ),
    ]
  }
  const meant = nearest === undefined ? '' : `: did you mean ${nearest}?`
  return [problemOf(property, `unknown option, ignored${meant}`)]
}

/** Also compares the part before the first dot: `encrpytion.keyProvider` is near `encryption`. */
function nearestKey(key: string, known: readonly string[]): string | undefined {
  const first = key.split('.')[0]!
  return nearestName(key, known) ?? (first === key ? undefined : nearestName(first, known))
}

function read(key: string, spec: OptionSpec, component: ComponentConfiguration): unknown {
  if (spec.type === 'prefix') return subProperties(component, key)
  if (spec.type === 'ignored' || spec.type === 'security') return undefined
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    if (spec.required)
      throw optionError(component, key, `required, but not set: ${clause(spec.doc)}`)
    return spec.default
  }
  // Java reads every text other than `true` as false.
  if (spec.type === 'boolean') return parseValue(spec, text.toLowerCase()) ?? false
  if (spec.type !== 'integer') return parseValue(spec, text)
  if (isBelowMin(spec, text)) return spec.default
  const value = parseValue(spec, clampedLong(text))
  if (value !== undefined) return value
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  throw optionError(component, key, `${quoted(text)} is not an integer from ${min} to ${max}`)
}

/** An option text as the end of a message: without its capital and its full stop. */
function clause(doc: string): string {
  return `${doc[0]!.toLowerCase()}${doc.slice(1).replace(/\.$/, '')}`
}

type IntegerSpec = Extract<OptionSpec, { type: 'integer' }>

function isBelowMin(spec: IntegerSpec, text: string): boolean {
  return spec.belowMin === 'default' && wholeNumber(text) < (spec.min ?? 0)
}

/** Clamps to the largest safe integer: configurations use Java's largest long for "no limit". */
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
