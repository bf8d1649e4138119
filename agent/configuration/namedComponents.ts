// Keys of one component that name others: names in lists (`interceptors = i1 i2`), the keys
// below a name (`interceptors.i1.type`), and references that nothing resolves.

import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { ComponentConfiguration, ConfigurationProblem } from './flumeConfiguration.ts'
import { problemOf } from './flumeConfiguration.ts'

/** The names in a list, each once. */
export function listOf(component: ComponentConfiguration, key: string): string[] {
  return [...new Set(component.properties.get(key)?.value.split(/\s+/) ?? [])]
}

/** The keys of a component below a prefix, as a component of their own. */
export function nested(component: ComponentConfiguration, prefix: string): ComponentConfiguration {
  const properties = new Map(
    [...component.properties]
      .filter(([key]) => key.startsWith(`${prefix}.`))
      .map(([key, property]) => [key.slice(prefix.length + 1), property]),
  )
  return { ...component, path: `${component.path}.${prefix}`, properties }
}

/** A warning for each name that has keys below a list and is not in the list. */
export function unlistedNames(
  component: ComponentConfiguration,
  list: string,
): ConfigurationProblem[] {
  const names = listOf(component, list)
  const reported = new Set<string>()
  return [...component.properties].flatMap(([key, property]) => {
    const name = key.startsWith(`${list}.`) ? key.slice(list.length + 1).split('.')[0]! : undefined
    if (name === undefined || names.includes(name) || reported.has(name)) return []
    reported.add(name)
    const meant = suggestion(name, names)
    return [problemOf(property, `${component.path}.${list} does not list ${name}: ignored${meant}`)]
  })
}

/** `${sys:port}` without -Dport and its like: what would be used as it is written. */
export function unresolvedReferences(component: ComponentConfiguration): ConfigurationProblem[] {
  return [...component.properties.values()].flatMap((property) =>
    (property.unresolved ?? []).flatMap((reference) => {
      const remedy = remedyFor(reference)
      if (remedy !== undefined) {
        return [problemOf(property, `${reference} has no value: ${remedy}`, 'error')]
      }
      // A shell has variables of its own; anywhere else this is a slip.
      if (property.key.trim().endsWith('.command')) return []
      return [problemOf(property, `${reference} stays as it is written: the file has no such key`)]
    }),
  )
}

/** Undefined for a reference that may be meant as it is written. */
function remedyFor(reference: string): string | undefined {
  const [, kind, name] = /^\$\{(sys|env):(.*)\}$/.exec(reference) ?? []
  if (kind === 'sys') return `start the agent with -D${name}=VALUE`
  if (kind === 'env') return `set the environment variable ${name}`
  return reference.includes('[') ? 'config filters are not supported yet' : undefined
}
