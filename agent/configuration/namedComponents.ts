// Keys of a component that name others: lists of names (`interceptors = i1 i2`), keys below a name
// (`interceptors.i1.type`), and references that could not be resolved.

import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { ComponentConfiguration, ConfigurationProblem } from './flumeConfiguration.ts'
import { problemOf } from './flumeConfiguration.ts'

/** Returns the names in a list, each once. */
export function listOf(component: ComponentConfiguration, key: string): string[] {
  return [...new Set(component.properties.get(key)?.value.split(/\s+/) ?? [])]
}

/** Returns the keys of a component below a prefix as a component of its own. */
export function nested(component: ComponentConfiguration, prefix: string): ComponentConfiguration {
  const properties = new Map(
    [...component.properties]
      .filter(([key]) => key.startsWith(`${prefix}.`))
      .map(([key, property]) => [key.slice(prefix.length + 1), property]),
  )
  return { ...component, path: `${component.path}.${prefix}`, properties }
}

/** Warns of each name that has keys below a list but is not in the list. */
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

/** Reports references that were not resolved, such as `${sys:port}` without -Dport. */
export function unresolvedReferences(component: ComponentConfiguration): ConfigurationProblem[] {
  return [...component.properties.values()].flatMap((property) =>
    (property.unresolved ?? []).flatMap((reference) => {
      const remedy = remedyFor(reference)
      if (remedy !== undefined) {
        return [problemOf(property, `${reference} is not set: ${remedy}`, 'error')]
      }
      // In a command it may be a variable of the shell; anywhere else it is a mistake.
      if (property.key.trim().endsWith('.command')) return []
      return [problemOf(property, `${reference} is not substituted: no property has this key`)]
    }),
  )
}

/** Returns what to do about a reference; undefined if it may be intended literally. */
function remedyFor(reference: string): string | undefined {
  const [, kind, name] = /^\$\{(sys|env):(.*)\}$/.exec(reference) ?? []
  if (kind === 'sys') return `start the agent with -D${name}=VALUE`
  if (kind === 'env') return `set the environment variable ${name}`
  return reference.includes('[') ? 'config filters are not supported yet' : undefined
}
