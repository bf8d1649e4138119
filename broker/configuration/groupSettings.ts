// The table of configs of consumer groups (KIP-848), their defaults and bounds in broker options,
// and the settings in force for a group. As in Kafka, a group that does not exist can have configs,
// and they outlive it.

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
    option: integer(5000, 1, int32Max, 'Heartbeat interval of the members of the group, in ms.'),
    standard: 'group.consumer.heartbeat.interval.ms',
    smallest: 'group.consumer.min.heartbeat.interval.ms',
    largest: 'group.consumer.max.heartbeat.interval.ms',
  },
  'consumer.session.timeout.ms': {
    option: integer(
      45_000,
      1,
      int32Max,
      'How long the coordinator waits for a heartbeat before it removes a member, in ms.',
    ),
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

/**
 * Returns why a group cannot have these configs, as a message for the client; undefined if it can.
 */
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

/** The value in force for a group: its own, clamped to the broker's limits, or the broker's. */
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

/** All configs of a group and where their values come from. */
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
