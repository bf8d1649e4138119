// Builds the configuration of one component as from a flume.conf, for tests of single components.

import {
  type ComponentConfiguration,
  type ComponentKind,
  readFlumeConfiguration,
} from '../../agent/configuration/flumeConfiguration.ts'
import { parseProperties } from '../../agent/configuration/properties.ts'

export const testHost = { name: 'host', fullName: 'host.example', address: '10.0.0.1' }

/** `lines` are `key = value` without the `a1.sources.r1.` before them. */
export function component(
  kind: ComponentKind,
  name: string,
  lines: Readonly<Record<string, string | number | boolean>>,
): ComponentConfiguration {
  const text = Object.entries(lines).map(([key, value]) => `a1.${kind}.${name}.${key} = ${value}`)
  const properties = parseProperties([`a1.${kind} = ${name}`, ...text].join('\n'), 'flume.conf')
  return readFlumeConfiguration(properties).agents.get('a1')!.components[kind][0]!
}
