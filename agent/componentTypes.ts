// The common interface of component types, and the lookup of a configured `type`: Flume's alias or
// the name of Flume's class, both case-insensitive as in Flume. The lists of types are
// sources/sourceTypes.ts, channels/channelTypes.ts, sinks/sinkTypes.ts,
// interceptors/interceptorTypes.ts and selectors/selectorTypes.ts; docs/agent-components.md is
// generated from them.

import { nearestName } from '../protocol/configuration/nearestName.ts'
import type { ComponentConfiguration } from './configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, quoted } from './configuration/options.ts'

export interface ComponentType {
  readonly alias: string
  /** Name of Flume's class. */
  readonly className: string
  readonly options: OptionTable
}

/**
 * Maximum events per transaction of a component; must not exceed transactionCapacity of a channel.
 */
export interface BatchSize {
  /** The option that sets it. */
  readonly key: string
  readonly events: number
}

/**
 * Returns the type that a component's `key` names; fails with an OptionError if not set or unknown.
 */
export function typeOf<T extends ComponentType>(
  types: readonly T[],
  component: ComponentConfiguration,
  key = 'type',
  fallback?: T,
): T {
  const text = component.properties.get(key)?.value
  const aliases = types.map(({ alias }) => alias)
  if (text === undefined) {
    if (fallback !== undefined) return fallback
    throw optionError(component, key, `required, but not set: one of ${aliases.join(', ')}`)
  }
  const wanted = text.toLowerCase()
  const found = types.find(({ alias, className }) => {
    return alias === wanted || className.toLowerCase() === wanted
  })
  if (found !== undefined) return found
  const nearest = nearestName(text, [...aliases, ...types.map(({ className }) => className)])
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`
  const known = aliases.join(', ')
  throw optionError(component, key, `${quoted(text)} is not supported: use one of ${known}${meant}`)
}
