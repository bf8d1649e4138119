// What holds for a topic: its own configs over the broker's options. Values are kept as the text
// they were set with; this file reads them, checks them, and says where each comes from.

import type { BrokerConfig } from './brokerOptions.ts'
import type { ConfigType } from './configOption.ts'
import { configText } from './configOption.ts'
import {
  ConfigSource,
  type ConfigSynonym,
  type ConfigTexts,
  type DynamicConfiguration,
} from './configuration.ts'
import {
  type BrokerSynonym,
  isTopicConfigName,
  type TopicConfig,
  type TopicConfigName,
  type TopicConfigValue,
  topicConfigs,
} from './topicOptions.ts'

/** A config as it is shown. */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
  readonly type: ConfigType
  readonly doc: string
  readonly isReadOnly: boolean
  /** Everything that says what the value is, the strongest first. */
  readonly synonyms: readonly ConfigSynonym[]
}

function topicConfigProblem(name: string, value: string): string | undefined {
  if (!isTopicConfigName(name)) return `unknown topic config name: ${name}`
  const { option } = topicConfigs[name]
  if (option.parse(value) === undefined)
    return `${name} is "${value}", but must be ${option.bounds}`
  return undefined
}

/** Why these cannot be a topic's configs, in words for the client; undefined when they can. */
export function topicConfigsProblem(
  configs: ConfigTexts,
  broker: BrokerConfig,
): string | undefined {
  for (const [name, value] of Object.entries(configs)) {
    const problem = topicConfigProblem(name, value)
    if (problem) return problem
  }
  const min = topicConfigValue('min.compaction.lag.ms', configs, broker)
  const max = topicConfigValue('max.compaction.lag.ms', configs, broker)
  if (min <= max) return undefined
  return `min.compaction.lag.ms (${min}) must not be more than max.compaction.lag.ms (${max})`
}

/** The value that holds for a topic: its own, or the broker's. */
export function topicConfigValue<Name extends TopicConfigName>(
  name: Name,
  configs: ConfigTexts,
  broker: BrokerConfig,
): TopicConfigValue<Name> {
  const { option, synonyms }: TopicConfig<unknown> = topicConfigs[name]
  const text = configs[name]
  const set = text === undefined ? undefined : option.parse(text)
  return (set ?? brokerValue(synonyms, broker) ?? option.default) as TopicConfigValue<Name>
}

/** Every config of a topic with where its value comes from, sorted by name. */
export function describeTopicConfigs(
  configs: ConfigTexts,
  configuration: DynamicConfiguration,
): ConfigEntry[] {
  const names = Object.keys(topicConfigs) as TopicConfigName[]
  return names
    .filter((name) => !topicConfigs[name].isInternal || configs[name] !== undefined)
    .sort()
    .map((name) => describe(name, configs, configuration))
}

function describe(
  name: TopicConfigName,
  configs: ConfigTexts,
  configuration: DynamicConfiguration,
): ConfigEntry {
  const { option, synonyms: brokerNames }: TopicConfig<unknown> = topicConfigs[name]
  const text = configs[name]
  const [strongest, ...weaker] = brokerNames.map(({ option: brokerName }) => brokerName)
  const synonyms = [
    ...(text === undefined ? [] : [{ name, value: text, source: ConfigSource.topic }]),
    ...(strongest === undefined ? [] : configuration.synonymsOf(strongest, weaker)),
  ]
  return {
    name,
    value: text ?? inheritedText(name, brokerNames, configuration),
    source: synonyms[0]?.source ?? ConfigSource.standard,
    type: option.type,
    doc: option.doc,
    isReadOnly: false,
    synonyms,
  }
}

/** In the words in which the broker's option was set, unless it counts in another unit. */
function inheritedText(
  name: TopicConfigName,
  synonyms: readonly BrokerSynonym[],
  configuration: DynamicConfiguration,
): string | null {
  const { current } = configuration
  const holder = synonyms.find(({ option }) => current[option] !== undefined)
  if (holder?.scale === 1) return configuration.text(holder.option)
  return configText(topicConfigValue(name, {}, current))
}

function brokerValue(synonyms: readonly BrokerSynonym[], broker: BrokerConfig): unknown {
  for (const { option, scale } of synonyms) {
    const value = broker[option]
    if (value === undefined) continue
    // -1 is "for ever" in every unit.
    return typeof value === 'number' && value > 0 ? value * scale : value
  }
  return undefined
}
