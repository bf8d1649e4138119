// The settings in force for a topic: the configs set for it, and the broker's options for the rest.
// Reads and validates the texts that were set, describes where each value comes from, and makes the
// LogConfig of the topic's logs. Pure functions.

import { defaultLogConfig, type LogConfig } from '../log/logConfig.ts'
import type { BrokerConfig } from './brokerOptions.ts'
import type { ConfigType } from './configOption.ts'
import { configText, listElements } from './configOption.ts'
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
  topicOptions,
} from './topicOptions.ts'

/** A config as DescribeConfigs lists it. */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
  readonly type: ConfigType
  readonly doc: string
  readonly isReadOnly: boolean
  /** Every place where the config has a value, the one in force first. */
  readonly synonyms: readonly ConfigSynonym[]
}

function topicConfigProblem(name: string, value: string): string | undefined {
  if (!isTopicConfigName(name)) return `unknown topic config name: ${name}`
  const { option } = topicOptions[name]
  if (option.parse(value) === undefined)
    return `${name} is "${value}", but must be ${option.bounds}`
  return undefined
}

/**
 * Returns why a topic cannot have these configs, as a message for the client; undefined if it can.
 */
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

/** The value in force for a topic: its own, or the broker's. */
export function topicConfigValue<Name extends TopicConfigName>(
  name: Name,
  configs: ConfigTexts,
  broker: BrokerConfig,
): TopicConfigValue<Name> {
  const { option, synonyms }: TopicConfig<unknown> = topicOptions[name]
  const text = configs[name]
  const set = text === undefined ? undefined : option.parse(text)
  return (set ?? brokerValue(synonyms, broker) ?? option.default) as TopicConfigValue<Name>
}

/** The settings of a topic's logs. */
export function logConfigOf(configs: ConfigTexts, broker: BrokerConfig): LogConfig {
  const policies = listElements(topicConfigValue('cleanup.policy', configs, broker))
  return {
    ...defaultLogConfig,
    flush: broker.flush,
    producerIdExpirationMs: broker['producer.id.expiration.ms'],
    transactionVerification: broker['transaction.partition.verification.enable'],
    segmentBytes: Math.min(
      topicConfigValue('segment.bytes', configs, broker),
      topicConfigValue('internal.segment.bytes', configs, broker),
    ),
    segmentMs: topicConfigValue('segment.ms', configs, broker),
    segmentJitterMs: topicConfigValue('segment.jitter.ms', configs, broker),
    segmentIndexBytes: topicConfigValue('segment.index.bytes', configs, broker),
    indexIntervalBytes: topicConfigValue('index.interval.bytes', configs, broker),
    maxMessageBytes: topicConfigValue('max.message.bytes', configs, broker),
    messageTimestampType: topicConfigValue('message.timestamp.type', configs, broker),
    messageTimestampBeforeMaxMs: topicConfigValue(
      'message.timestamp.before.max.ms',
      configs,
      broker,
    ),
    messageTimestampAfterMaxMs: topicConfigValue('message.timestamp.after.max.ms', configs, broker),
    compressionType: topicConfigValue('compression.type', configs, broker),
    compressionLevels: {
      gzip: topicConfigValue('compression.gzip.level', configs, broker),
      lz4: topicConfigValue('compression.lz4.level', configs, broker),
      zstd: topicConfigValue('compression.zstd.level', configs, broker),
    },
    cleanupPolicy: { delete: policies.includes('delete'), compact: policies.includes('compact') },
    retentionMs: topicConfigValue('retention.ms', configs, broker),
    retentionBytes: topicConfigValue('retention.bytes', configs, broker),
    deleteRetentionMs: topicConfigValue('delete.retention.ms', configs, broker),
    minCleanableDirtyRatio: topicConfigValue('min.cleanable.dirty.ratio', configs, broker),
    minCompactionLagMs: topicConfigValue('min.compaction.lag.ms', configs, broker),
    maxCompactionLagMs: topicConfigValue('max.compaction.lag.ms', configs, broker),
    fileDeleteDelayMs: topicConfigValue('file.delete.delay.ms', configs, broker),
  }
}

/** All configs of a topic and where their values come from, sorted by name. */
export function describeTopicConfigs(
  configs: ConfigTexts,
  configuration: DynamicConfiguration,
): ConfigEntry[] {
  const names = Object.keys(topicOptions) as TopicConfigName[]
  return names
    .filter((name) => !topicOptions[name].isInternal || configs[name] !== undefined)
    .sort()
    .map((name) => describe(name, configs, configuration))
}

function describe(
  name: TopicConfigName,
  configs: ConfigTexts,
  configuration: DynamicConfiguration,
): ConfigEntry {
  const { option, synonyms: brokerNames }: TopicConfig<unknown> = topicOptions[name]
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

/** The text with which the broker option was set, or the converted value if its unit differs. */
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
    // -1 means no limit in every unit.
    return typeof value === 'number' && value > 0 ? value * scale : value
  }
  return undefined
}
