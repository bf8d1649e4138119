// What `-Dkey=value` means beside standing for `${sys:key}` in the configuration: the metrics page's
// address. Keys that nothing uses are named, and security settings among them refused.

import { suggestion } from '../protocol/configuration/nearestName.ts'
import type { Address } from '../protocol/runtime/network.ts'
import { asksForSecurity } from './configuration/securityKeys.ts'
import { AgentError } from './errors.ts'

const knownKeys = [
  'flume.monitoring.type',
  'flume.monitoring.port',
  'flume.monitoring.host',
  'flume.root.logger',
]

/** Where the metrics page listens; undefined when none is asked for. */
export function monitoringAddress(
  properties: Readonly<Record<string, string>>,
): Address | undefined {
  const type = properties['flume.monitoring.type']
  if (type === undefined) return undefined
  if (type.toLowerCase() !== 'http') {
    throw mistake(`flume.monitoring.type '${type}' is not supported: use http`)
  }
  const text = properties['flume.monitoring.port'] ?? '41414'
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw mistake(`flume.monitoring.port '${text}' is not a port`)
  return { host: properties['flume.monitoring.host'] ?? '127.0.0.1', port }
}

/** Keys of which the configuration's `text` makes no use; fails for one that asks for security. */
export function unusedProperties(
  properties: Readonly<Record<string, string>>,
  text: string,
): string[] {
  const warnings: string[] = []
  for (const [key, value] of Object.entries(properties)) {
    if (knownKeys.includes(key) || text.includes(`\${sys:${key}`)) continue
    // The source of randomness, which many start scripts set; not a setting of security here.
    if (key !== 'java.security.egd' && asksForSecurity(key, value)) {
      throw mistake(
        `-D${key} is a security setting that is not supported, and not ignored: the agent neither encrypts nor authenticates; remove it`,
      )
    }
    const used = [...text.matchAll(/\$\{sys:([^}:]+)/g)].map(([, name]) => name!)
    warnings.push(
      `-D${key} has no effect: nothing uses it${suggestion(key, [...knownKeys, ...used])}`,
    )
  }
  return warnings
}

function mistake(message: string): AgentError {
  return new AgentError('CONFIGURATION', message)
}
