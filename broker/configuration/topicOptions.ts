// The table of topic configs, under Kafka's names. The default of each comes from broker options,
// or, where Kafka has no such broker option, from an option of its own.

import { type BrokerOptionName, brokerOptions } from './brokerOptions.ts'
import {
  boolean,
  type ConfigOption,
  int32Max,
  int64Max,
  integer,
  list,
  restricted,
  withoutEffect,
} from './configOption.ts'

/** A broker option that gives the default of a topic config; `scale` converts its unit. */
export interface BrokerSynonym {
  readonly option: BrokerOptionName
  readonly scale: number
}

export interface TopicConfig<Value> {
  readonly option: ConfigOption<Value>
  /**
   * The first broker option with a value gives the default; without any, the option itself does.
   */
  readonly synonyms: readonly BrokerSynonym[]
  /** Can be set, and is not listed: for tests. */
  readonly isInternal: boolean
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

function inherited<Name extends BrokerOptionName>(name: Name, ...weaker: BrokerSynonym[]) {
  const synonyms: BrokerSynonym[] = [{ option: name, scale: 1 }, ...weaker]
  return { option: brokerOptions[name], synonyms, isInternal: false }
}

function own<Value>(option: ConfigOption<Value>): TopicConfig<Value> {
  return { option, synonyms: [], isInternal: false }
}

function internal<Value>(option: ConfigOption<Value>): TopicConfig<Value> {
  return { ...own(option), isInternal: true }
}

/** Replicas as partition:broker, or * for all. */
const throttledReplicas = withoutEffect(
  (doc) =>
    list(
      '',
      'partition:broker, separated by commas, or *',
      (element) => element === '*' || /^\d+:\d+$/.test(element),
      doc,
    ),
  'there is no replication to throttle',
)
const tieredStorage = restricted(
  boolean(false, 'Always false: tiered storage is not supported.'),
  'false: tiered storage is not supported',
  (value) => !value,
)
const localRetention = withoutEffect(
  (doc) => integer(-2, -2, int64Max, doc),
  'tiered storage is not supported',
)

export const topicOptions = {
  'cleanup.policy': inherited('log.cleanup.policy'),
  'compression.gzip.level': inherited('compression.gzip.level'),
  'compression.lz4.level': inherited('compression.lz4.level'),
  'compression.type': inherited('compression.type'),
  'compression.zstd.level': inherited('compression.zstd.level'),
  'delete.retention.ms': inherited('log.cleaner.delete.retention.ms'),
  'file.delete.delay.ms': inherited('log.segment.delete.delay.ms'),
  'flush.messages': inherited('log.flush.interval.messages'),
  'flush.ms': inherited('log.flush.interval.ms', {
    option: 'log.flush.scheduler.interval.ms',
    scale: 1,
  }),
  'follower.replication.throttled.replicas': own(throttledReplicas),
  'index.interval.bytes': inherited('log.index.interval.bytes'),
  'internal.segment.bytes': internal(
    integer(int32Max, 1, int32Max, 'Like segment.bytes, without the lower limit.'),
  ),
  'leader.replication.throttled.replicas': own(throttledReplicas),
  'local.retention.bytes': own(localRetention),
  'local.retention.ms': own(localRetention),
  'max.compaction.lag.ms': inherited('log.cleaner.max.compaction.lag.ms'),
  'max.message.bytes': inherited('message.max.bytes'),
  'message.timestamp.after.max.ms': inherited('log.message.timestamp.after.max.ms'),
  'message.timestamp.before.max.ms': inherited('log.message.timestamp.before.max.ms'),
  'message.timestamp.type': inherited('log.message.timestamp.type'),
  'min.cleanable.dirty.ratio': inherited('log.cleaner.min.cleanable.ratio'),
  'min.compaction.lag.ms': inherited('log.cleaner.min.compaction.lag.ms'),
  'min.insync.replicas': inherited('min.insync.replicas'),
  preallocate: inherited('log.preallocate'),
  'remote.log.copy.disable': own(tieredStorage),
  'remote.log.delete.on.disable': own(tieredStorage),
  'remote.storage.enable': own(tieredStorage),
  'retention.bytes': inherited('log.retention.bytes'),
  'retention.ms': inherited(
    'log.retention.ms',
    { option: 'log.retention.minutes', scale: minuteMs },
    { option: 'log.retention.hours', scale: hourMs },
  ),
  'segment.bytes': inherited('log.segment.bytes'),
  'segment.index.bytes': inherited('log.index.size.max.bytes'),
  'segment.jitter.ms': inherited('log.roll.jitter.ms', {
    option: 'log.roll.jitter.hours',
    scale: hourMs,
  }),
  'segment.ms': inherited('log.roll.ms', { option: 'log.roll.hours', scale: hourMs }),
  'unclean.leader.election.enable': inherited('unclean.leader.election.enable'),
} as const satisfies Record<string, TopicConfig<unknown>>

export type TopicConfigName = keyof typeof topicOptions

/** The type of a config's value. */
export type TopicConfigValue<Name extends TopicConfigName> =
  (typeof topicOptions)[Name]['option'] extends ConfigOption<infer Value>
    ? NonNullable<Value>
    : never

/**
 * The broker options that stand in for a broker option without a value, in the order in which they
 * do.
 */
export function weakerOptions(name: BrokerOptionName): BrokerOptionName[] {
  for (const { synonyms } of Object.values<TopicConfig<unknown>>(topicOptions)) {
    const at = synonyms.findIndex(({ option }) => option === name)
    if (at >= 0) return synonyms.slice(at + 1).map(({ option }) => option)
  }
  return []
}

export function isTopicConfigName(name: string): name is TopicConfigName {
  return Object.hasOwn(topicOptions, name)
}
