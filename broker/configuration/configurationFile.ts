// Reads the broker's configuration file, Kafka's server.properties: checks each key against the
// table of options (brokerOptions.ts) and returns the values. A file of Kafka is readable: keys
// that have no effect here are listed, not refused. Contract: every value that is returned is
// within its bounds, and a file that asks for a protection that the broker does not have is
// refused.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import { type Property, parseProperties } from '../../protocol/configuration/properties.ts'
import { BrokerError } from '../errors.ts'
import {
  type BrokerConfig,
  brokerOptionNames,
  brokerOptions,
  isOptionName,
} from './brokerOptions.ts'
import type { ConfigOption } from './configOption.ts'
import { asksForProtection } from './securityOptions.ts'
import { unusedKeys, unusedReason } from './unusedOptions.ts'

/**
 * A key of a configuration file that has no effect here: unknown, or accepted for Kafka's tools
 * only.
 */
export interface UnusedOption {
  readonly line: number
  readonly key: string
  /** Set for an option of Kafka that has no effect here on purpose: it is worth no warning. */
  readonly reason?: string
  /** The key that was probably meant. */
  readonly suggestion?: string
}

/**
 * Reads the text of a configuration file. Throws a BrokerError that names file, line and key for a
 * value that is out of bounds, and for a key that asks for a protection that the broker does not
 * have.
 */
export function parseBrokerConfig(
  text: string,
  file: string,
): { values: Partial<BrokerConfig>; unused: UnusedOption[] } {
  const values: Record<string, unknown> = {}
  const unused: UnusedOption[] = []
  const properties = readProperties(text, file)
  refuseProtection(properties, file)
  for (const { key, value, line } of withNodeId(properties, file)) {
    if (!isOptionName(key)) {
      unused.push(unusedOption(key, line))
      continue
    }
    const option: ConfigOption<unknown> = brokerOptions[key]
    const parsed = option.parse(value)
    if (parsed === undefined) {
      throw new BrokerError(
        'CONFIGURATION_INVALID',
        `${file}:${line}: ${key} is "${value}", but must be ${option.bounds}`,
      )
    }
    if (option.noEffect !== undefined && parsed !== option.default) {
      unused.push({ line, key, reason: option.noEffect })
    }
    values[key] = parsed
  }
  return { values: values as Partial<BrokerConfig>, unused }
}

/**
 * Kafka's rules, but stricter: a key needs a separator, and blanks at the end of a value are
 * dropped.
 */
function readProperties(text: string, file: string): Property[] {
  const properties = [...parseProperties(text.replace(/^\uFEFF/, ''))]
  for (const { key, line, text: content, hasSeparator } of properties) {
    if (hasSeparator && key !== '') continue
    throw new BrokerError(
      'CONFIGURATION_INVALID',
      `${file}:${line}: "${content}" is no key=value line`,
    )
  }
  return properties.map((property) => ({ ...property, value: property.value.trimEnd() }))
}

function unusedOption(key: string, line: number): UnusedOption {
  const reason = unusedReason(key)
  if (reason !== undefined) return { line, key, reason }
  const suggestion = nearestName(key, [...brokerOptionNames, ...unusedKeys])
  return suggestion === undefined ? { line, key } : { line, key, suggestion }
}

function refuseProtection(properties: readonly Property[], file: string): void {
  const found = properties.filter(({ key, value }) => asksForProtection(key, value))
  const [first] = found
  if (first === undefined) return
  const keys = found.map(({ key, line }) => `${key} (line ${line})`).join(', ')
  const [verb, them] = found.length === 1 ? ['asks', 'it'] : ['ask', 'them']
  throw new BrokerError(
    'SECURITY_UNSUPPORTED',
    `${file}:${first.line}: ${keys} ${verb} for protection that this broker does not have yet: remove ${them}, and listen on loopback or a private network only`,
  )
}

/** `broker.id` is Kafka's older name of `node.id`: the two must not differ. */
function withNodeId(properties: readonly Property[], file: string): Property[] {
  const older = properties.findLast(({ key }) => key === 'broker.id')
  if (older === undefined) return [...properties]
  const node = properties.findLast(({ key }) => key === 'node.id')
  if (node !== undefined && node.value !== older.value) {
    throw new BrokerError(
      'CONFIGURATION_INVALID',
      `${file}:${older.line}: broker.id is "${older.value}" and node.id is "${node.value}": remove broker.id`,
    )
  }
  return properties.map((property) =>
    property.key === 'broker.id' ? { ...property, key: 'node.id' } : property,
  )
}
