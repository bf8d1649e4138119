// The system properties (`-Dkey=value`) that have a meaning of their own, apart from `${sys:key}`
// in the configuration: the address of the metrics page and the log level. Unused keys are warned
// of; security settings among them are refused.

import { suggestion } from '../protocol/configuration/nearestName.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { asksForSecurity } from './configuration/securityKeys.ts'
import { AgentError } from './errors.ts'

const knownKeys = [
  'flume.monitoring.type',
  'flume.monitoring.port',
  'flume.monitoring.host',
  'flume.root.logger',
]

/** Returns the address of the metrics page; undefined when none is configured. */
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
  if (!(port <= 65_535)) throw mistake(`flume.monitoring.port '${text}' is not a port number`)
  return { host: properties['flume.monitoring.host'] ?? '127.0.0.1', port }
}

/**
 * Returns a warning for each key that `text`, the configuration, does not use; fails for a security
 * setting among them.
 */
export function unusedProperties(
  properties: Readonly<Record<string, string>>,
  text: string,
): string[] {
  const warnings: string[] = []
  for (const [key, value] of Object.entries(properties)) {
    if (knownKeys.includes(key) || text.includes(`\${sys:${key}`)) continue
    // The JVM's source of randomness, which many start scripts set; not a security setting here.
    if (key !== 'java.security.egd' && asksForSecurity(key, value)) {
      throw mistake(
        `-D${key} is a security setting, which is not supported: the agent neither encrypts nor authenticates; remove the option`,
      )
    }
    const used = [...text.matchAll(/\$\{sys:([^}:]+)/g)].map(([, name]) => name!)
    warnings.push(
      `-D${key} has no effect: the configuration does not use it${suggestion(key, [...knownKeys, ...used])}`,
    )
  }
  return warnings
}

function mistake(message: string): AgentError {
  return new AgentError('CONFIGURATION', message)
}
