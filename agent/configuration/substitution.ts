// Substitutes `${...}` in values as Flume does: the key of another property, `${env:X}`, `${sys:X}`
// (set with -Dkey=value), `${X:-default}`; `$${` stands for `${`. An unknown reference is kept
// literally and recorded: the planner refuses a component that would use a literal `${sys:...}`.
// Keys are never substituted.

import { AgentError } from '../errors.ts'
import type { Property } from './properties.ts'

export interface SubstitutionSources {
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Java's system properties: -Dkey=value. */
  readonly sys: Readonly<Record<string, string | undefined>>
}

export function substitute(
  properties: ReadonlyMap<string, Property>,
  sources: SubstitutionSources,
): Map<string, Property> {
  const resolved = new Map<string, Property>()
  let unresolved: string[] = []
  for (const property of properties.values()) {
    unresolved = []
    const value = resolve(property.value, property, [property.key])
    resolved.set(property.key, { ...property, value, ...(unresolved.length > 0 && { unresolved }) })
  }
  return resolved

  function resolve(text: string, origin: Property, path: readonly string[]): string {
    return text.replace(/\$\$\{|\$\{([^{}]*)\}/g, (written: string, inner?: string) => {
      if (inner === undefined) return '${'
      const [name, fallback] = splitDefault(inner)
      const found = lookup(name, origin, path) ?? fallback
      if (found === undefined) unresolved.push(written)
      return found ?? written
    })
  }

  function lookup(name: string, origin: Property, path: readonly string[]): string | undefined {
    if (name.startsWith('env:')) return sources.env[name.slice(4)]
    if (name.startsWith('sys:')) return sources.sys[name.slice(4)]
    const property = properties.get(name)
    if (property === undefined) return undefined
    if (path.includes(name)) {
      throw new AgentError(
        'CONFIGURATION',
        `${origin.file}:${origin.line}: ${origin.key} refers to itself: ${[...path, name].join(' -> ')}`,
      )
    }
    return resolve(property.value, origin, [...path, name])
  }
}

function splitDefault(inner: string): [name: string, fallback: string | undefined] {
  const at = inner.indexOf(':-')
  return at < 0 ? [inner, undefined] : [inner.slice(0, at), inner.slice(at + 2)]
}
