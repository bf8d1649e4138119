// What can be set per topic, and which broker option stands behind it. Values are kept as the text
// they were set with; this file reads them, and says what holds for a topic in the end.

import {
  type BrokerConfig,
  type BrokerOptionName,
  brokerOptions,
  type ConfigOption,
} from '../configuration.ts'

/** Where a value comes from, as DescribeConfigs numbers it. */
export const ConfigSource = { topic: 1, staticBroker: 4, standard: 5 } as const
export type ConfigSource = (typeof ConfigSource)[keyof typeof ConfigSource]

/** The topic configs that a broker option gives the default of. */
const inherited = {
  'cleanup.policy': 'log.cleanup.policy',
  'index.interval.bytes': 'log.index.interval.bytes',
  'max.message.bytes': 'message.max.bytes',
  'message.timestamp.type': 'log.message.timestamp.type',
  'retention.bytes': 'log.retention.bytes',
  'retention.ms': 'log.retention.ms',
  'segment.bytes': 'log.segment.bytes',
  'segment.index.bytes': 'log.index.size.max.bytes',
  'segment.ms': 'log.roll.ms',
} as const satisfies Record<string, BrokerOptionName>

/**
 * Configs of Kafka's that can be set, are kept and shown, and have no effect yet: replication and
 * compaction will read them. Refusing them would stop existing tools from creating topics.
 */
const keptOnly: Readonly<Record<string, { readonly standard: string; readonly pattern: RegExp }>> =
  {
    'compression.type': { standard: 'producer', pattern: /^producer$/ },
    'delete.retention.ms': { standard: '86400000', pattern: /^\d+$/ },
    'max.compaction.lag.ms': { standard: '9223372036854775807', pattern: /^\d+$/ },
    'min.cleanable.dirty.ratio': { standard: '0.5', pattern: /^(0(\.\d+)?|1(\.0+)?)$/ },
    'min.compaction.lag.ms': { standard: '0', pattern: /^\d+$/ },
    'min.insync.replicas': { standard: '1', pattern: /^[1-9]\d*$/ },
    'unclean.leader.election.enable': { standard: 'false', pattern: /^(true|false)$/ },
  }

export type InheritedTopicConfig = keyof typeof inherited

export interface TopicConfigEntry {
  readonly name: string
  readonly value: string
  readonly source: ConfigSource
  readonly type: ConfigOption<unknown>['type']
  readonly doc: string
}

/** Why the setting cannot be made, in words for the client; undefined when it can. */
export function topicConfigProblem(name: string, value: string | null): string | undefined {
  if (value === null) return `${name} has no value`
  const kept = keptOnly[name]
  if (kept) return kept.pattern.test(value) ? undefined : `${name} cannot be "${value}" here`
  if (!isInherited(name)) return `unknown topic config name: ${name}`
  const option = brokerOptions[inherited[name]]
  if (option.parse(canonical(value)) === undefined) {
    return `${name} is "${value}", but must be ${option.bounds}`
  }
  return undefined
}

/** The value that holds for a topic: its own, or the broker's. */
export function topicConfigValue<Name extends InheritedTopicConfig>(
  name: Name,
  configs: Readonly<Record<string, string>>,
  broker: BrokerConfig,
): BrokerConfig[(typeof inherited)[Name]] {
  const own = configs[name]
  const parsed =
    own === undefined ? undefined : brokerOptions[inherited[name]].parse(canonical(own))
  return (parsed ?? broker[inherited[name]]) as BrokerConfig[(typeof inherited)[Name]]
}

/** Every config of a topic with where its value comes from, sorted by name. */
export function describeTopicConfigs(
  configs: Readonly<Record<string, string>>,
  broker: BrokerConfig,
): TopicConfigEntry[] {
  const entries: TopicConfigEntry[] = []
  for (const name of Object.keys(inherited) as InheritedTopicConfig[]) {
    const option = brokerOptions[inherited[name]]
    const brokerValue = broker[inherited[name]]
    entries.push({
      name,
      value: configs[name] ?? String(brokerValue),
      source: sourceOf(configs[name], brokerValue === option.default),
      type: option.type,
      doc: option.doc,
    })
  }
  for (const [name, { standard }] of Object.entries(keptOnly)) {
    const doc = 'Kept for Kafka tools; without effect in this version.'
    const source = sourceOf(configs[name], true)
    entries.push({ name, value: configs[name] ?? standard, source, type: 'string', doc })
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function sourceOf(own: string | undefined, isDefault: boolean): ConfigSource {
  if (own !== undefined) return ConfigSource.topic
  return isDefault ? ConfigSource.standard : ConfigSource.staticBroker
}

function isInherited(name: string): name is InheritedTopicConfig {
  return Object.hasOwn(inherited, name)
}

/** Kafka accepts both orders of the two policies. */
function canonical(value: string): string {
  return value === 'delete,compact' ? 'compact,delete' : value
}
