// What a broker in a test can be told, and the configuration that comes of it. Everything is checked before
// anything is started: a misspelt option is an error, and never a default.

import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import { type Logger, silentLogger } from '../../protocol/telemetry/logger.ts'
import {
  type BrokerConfig,
  type BrokerOptionName,
  brokerConfig,
  brokerOptionNames,
  brokerOptions,
  isOptionName,
} from '../configuration/brokerOptions.ts'
import type { ConfigOption } from '../configuration/configOption.ts'
import { isWildcard } from '../configuration/listenerAddress.ts'
import { invalidArgument } from './testBrokerError.ts'

/** A topic to create. */
export interface TestTopic {
  readonly name: string
  /** 1 unless given. */
  readonly partitions?: number
  /** Kafka's topic configuration, such as `{ 'cleanup.policy': 'compact' }`. */
  readonly configs?: Readonly<Record<string, string | number | boolean>>
}

/** Options of `startBroker`. */
export interface TestBrokerOptions {
  /** Topics that exist when `startBroker` resolves: names, or names with partitions and configuration. */
  readonly topics?: readonly (string | TestTopic)[]
  /**
   * A folder for topics and metadata, which is created if it does not exist, and not removed. Unless given, the
   * broker keeps everything in memory.
   */
  readonly directory?: string
  /** Port to listen on; a free one unless given. */
  readonly port?: number
  /** Address to listen on, which is also what clients are told; 127.0.0.1 unless given. */
  readonly host?: string
  /** Whether a client that asks for a missing topic creates it, as in Kafka; true unless given. */
  readonly autoCreateTopics?: boolean
  /**
   * Any other option of the broker, by Kafka's key: `{ 'message.max.bytes': 1000 }`. Some defaults differ from
   * those of a broker in production: see the page about testing clients.
   */
  readonly config?: Readonly<Partial<Record<BrokerOptionName, string | number | boolean>>>
  /**
   * Size of the disk in memory in bytes, 1 GiB unless given: a test that writes without end gets the errors of a
   * full disk, instead of using up the memory of its process. Not together with `directory`.
   */
  readonly memoryBytes?: number
  /** Receives what the broker logs; nothing is logged unless given. */
  readonly logger?: Logger
}

/** The options with all their defaults. */
export interface TestBrokerPlan {
  readonly topics: readonly Required<TestTopic>[]
  readonly directory: string | undefined
  readonly memoryBytes: number
  readonly address: Address
  readonly config: BrokerConfig
  readonly logger: Logger
}

const gibibyte = 1024 ** 3
const leastMemoryBytes = 1024 ** 2
const mostPartitions = 10_000

/**
 * Where a test differs from production: nothing waits for the power to fail, for members that may still come, or
 * for clients that hold connections open, and there are as few files as possible.
 */
const testDefaults: Partial<BrokerConfig> = {
  flush: 'os',
  'flush.journal.file.bytes': 0,
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
  'log.dir.reserved.bytes': 64 * 1024,
  'shutdown.drain.timeout.ms': 500,
  // Without sessions each fetch names all its partitions, and a fault finds the one that it is for.
  'max.incremental.fetch.session.cache.slots': 0,
}

/** Keys that an option of its own stands for. */
const otherOptions: Partial<Record<BrokerOptionName, string>> = {
  listeners: 'host and port',
  'advertised.listeners': 'host and port',
  'log.dir': 'directory',
  'log.dirs': 'directory',
  'log.level': 'logger',
  'auto.create.topics.enable': 'autoCreateTopics',
}

const optionNames: readonly (keyof TestBrokerOptions)[] = [
  'topics',
  'directory',
  'port',
  'host',
  'autoCreateTopics',
  'config',
  'memoryBytes',
  'logger',
]

/** Throws a TestBrokerError for what cannot be used. */
export function planTestBroker(options: TestBrokerOptions): TestBrokerPlan {
  refuseUnknown(options)
  const { directory, host = '127.0.0.1', port = 0, autoCreateTopics = true } = options
  const { memoryBytes = gibibyte } = options
  if (directory === '') {
    throw invalidArgument('directory is empty: leave it out to keep everything in memory')
  }
  if (directory !== undefined && options.memoryBytes !== undefined) {
    throw invalidArgument('memoryBytes is for a broker in memory: remove it, or directory')
  }
  if (!(memoryBytes >= leastMemoryBytes)) {
    throw invalidArgument(`memoryBytes is ${memoryBytes}, but must be at least ${leastMemoryBytes}`)
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidArgument(`port is ${port}, but must be 0 to 65535 (0 takes a free one)`)
  }
  if (isWildcard(host)) {
    throw invalidArgument(`host is ${host}, which no client can connect to: name one address`)
  }
  return {
    topics: (options.topics ?? []).map(planTopic),
    directory,
    memoryBytes,
    address: { host, port },
    config: brokerConfig({
      ...testDefaults,
      'log.dir': directory ?? '/memory',
      'auto.create.topics.enable': autoCreateTopics,
      ...configValues(options.config ?? {}),
    }),
    logger: options.logger ?? silentLogger,
  }
}

/** Names that Kafka does not allow, and configurations that it does not know, are refused by the broker. */
export function planTopic(topic: string | TestTopic): Required<TestTopic> {
  const { name, partitions = 1, configs = {} } = typeof topic === 'string' ? { name: topic } : topic
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument(
      'a topic has no name: a topic is a text, or { name, partitions, configs }',
    )
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > mostPartitions) {
    throw invalidArgument(
      `topic ${name} has ${partitions} partitions, but must have 1 to ${mostPartitions}`,
    )
  }
  return { name, partitions, configs }
}

function refuseUnknown(options: TestBrokerOptions): void {
  const known: readonly string[] = optionNames
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw invalidArgument(
    `startBroker has no option ${unknown}${suggestion(unknown, known)}; it has ${known.join(', ')}`,
  )
}

function configValues(config: NonNullable<TestBrokerOptions['config']>): Partial<BrokerConfig> {
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    if (value !== undefined) values[key] = configValue(key, value)
  }
  return values as Partial<BrokerConfig>
}

function configValue(key: string, value: string | number | boolean): unknown {
  if (!isOptionName(key)) {
    const meant = suggestion(key, brokerOptionNames)
    throw invalidArgument(`config: the broker has no option ${key}${meant}`)
  }
  const other = otherOptions[key]
  if (other !== undefined) throw invalidArgument(`config: use ${other} in place of ${key}`)
  const option: ConfigOption<unknown> = brokerOptions[key]
  const parsed = option.parse(String(value))
  if (parsed !== undefined) return parsed
  throw invalidArgument(`config: ${key} is "${value}", but must be ${option.bounds}`)
}
