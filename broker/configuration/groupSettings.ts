// What can be set for a consumer group of KIP-848, and which broker option stands behind it. A group
// need not exist to be configured, and what is set outlives it, as in Kafka.

import type { BrokerConfig, BrokerOptionName } from './brokerOptions.ts'
import { type ConfigOption, configText, int32Max, integer } from './configOption.ts'
import { ConfigSource, type ConfigTexts, type DynamicConfiguration } from './configuration.ts'
import type { ConfigEntry } from './topicSettings.ts'

interface GroupConfig {
  readonly option: ConfigOption<number>
  readonly standard: BrokerOptionName & `group.consumer.${string}.ms`
  readonly smallest: BrokerOptionName & `group.consumer.min.${string}.ms`
  readonly largest: BrokerOptionName & `group.consumer.max.${string}.ms`
}

const groupConfigs = {
  'consumer.heartbeat.interval.ms': {
    option: integer(5000, 1, int32Max, 'How often the members of the group say that they live.'),
    standard: 'group.consumer.heartbeat.interval.ms',
    smallest: 'group.consumer.min.heartbeat.interval.ms',
    largest: 'group.consumer.max.heartbeat.interval.ms',
  },
  'consumer.session.timeout.ms': {
    option: integer(45_000, 1, int32Max, 'After which silence a member is taken for dead.'),
    standard: 'group.consumer.session.timeout.ms',
    smallest: 'group.consumer.min.session.timeout.ms',
    largest: 'group.consumer.max.session.timeout.ms',
  },
} as const satisfies Record<string, GroupConfig>

export type GroupConfigName = keyof typeof groupConfigs

const names = Object.keys(groupConfigs) as GroupConfigName[]

function isGroupConfigName(name: string): name is GroupConfigName {
  return Object.hasOwn(groupConfigs, name)
}

/** Why these cannot be a group's configs, in words for the client; undefined when they can. */
export function groupConfigsProblem(
  configs: ConfigTexts,
  broker: BrokerConfig,
): string | undefined {
  for (const [name, text] of Object.entries(configs)) {
    const problem = groupConfigProblem(name, text, broker)
    if (problem) return problem
  }
  const heartbeatMs = groupConfigValue('consumer.heartbeat.interval.ms', configs, broker)
  const sessionMs = groupConfigValue('consumer.session.timeout.ms', configs, broker)
  if (sessionMs > heartbeatMs) return undefined
  return `consumer.session.timeout.ms (${sessionMs}) must be more than consumer.heartbeat.interval.ms (${heartbeatMs})`
}

/** What holds for a group: its own value, held within the broker's limits, or the broker's. */
export function groupConfigValue(
  name: GroupConfigName,
  configs: ConfigTexts,
  broker: BrokerConfig,
): number {
  const { option, standard, smallest, largest } = groupConfigs[name]
  const text = configs[name]
  const value = text === undefined ? undefined : option.parse(text)
  if (value === undefined) return broker[standard]
  return Math.min(Math.max(value, broker[smallest]), broker[largest])
}

/** Every config of a group with where its value comes from. */
export function describeGroupConfigs(
  configs: ConfigTexts,
  configuration: DynamicConfiguration,
): ConfigEntry[] {
  return names.map((name) => {
    const { option, standard } = groupConfigs[name]
    const text = configs[name]
    const synonyms = [
      ...(text === undefined ? [] : [{ name, value: text, source: ConfigSource.group }]),
      ...configuration.synonyms(standard),
    ]
    return {
      name,
      value: text ?? configText(configuration.current[standard]),
      source: synonyms[0]!.source,
      type: option.type,
      doc: option.doc,
      isReadOnly: false,
      synonyms,
    }
  })
}

function groupConfigProblem(name: string, text: string, broker: BrokerConfig): string | undefined {
  if (!isGroupConfigName(name)) return `unknown group config name: ${name}`
  const { option, smallest, largest } = groupConfigs[name]
  const value = option.parse(text)
  if (value !== undefined && value >= broker[smallest] && value <= broker[largest]) return undefined
  return `${name} is "${text}", but must be ${broker[smallest]} to ${broker[largest]} (${smallest}, ${largest})`
}
