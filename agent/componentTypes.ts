// The common shape of component types, and the lookup of a configured `type`:
// Flume's alias, or the name of Flume's class; both in any case, as in Flume. The lists are
// sources/sourceTypes.ts, channels/channelTypes.ts, sinks/sinkTypes.ts, interceptors/interceptorTypes.ts
// and selectors/selectorTypes.ts; docs/agent-components.md is made from them.

import { nearestName } from '../protocol/configuration/nearestName.ts'
import type { ComponentConfiguration } from './configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, quoted } from './configuration/options.ts'

export interface ComponentType {
  readonly alias: string
  /** Flume's. */
  readonly className: string
  readonly options: OptionTable
}

/** How many events a component puts or takes at once, which no channel's transaction may be below. */
export interface BatchSize {
  /** The key that says so. */
  readonly key: string
  readonly events: number
}

/** The type that a component's `key` names; an OptionError when there is none, or an unknown one. */
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
    throw optionError(component, key, `missing, but required: one of ${aliases.join(', ')}`)
  }
  const wanted = text.toLowerCase()
  const found = types.find(({ alias, className }) => {
    return alias === wanted || className.toLowerCase() === wanted
  })
  if (found !== undefined) return found
  const nearest = nearestName(text, [...aliases, ...types.map(({ className }) => className)])
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`
  const known = aliases.join(', ')
  throw optionError(component, key, `${quoted(text)} is not supported: one of ${known}${meant}`)
}
