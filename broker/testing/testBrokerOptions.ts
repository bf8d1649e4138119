// The options of the test broker, and the broker configuration derived from them. Everything is
// validated before anything starts: a misspelt option is an error, never ignored.

import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { type Logger, silentLogger } from '../../protocol/telemetry/logging/logger.ts'
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
  /** Default: 1. */
  readonly partitions?: number
  /** Kafka's topic configuration, such as `{ 'cleanup.policy': 'compact' }`. */
  readonly configs?: Readonly<Record<string, string | number | boolean>>
}

/** Options of `startBroker`. */
export interface TestBrokerOptions {
  /**
   * Topics that exist when `startBroker` resolves: names, or names with partitions and
   * configuration.
   */
  readonly topics?: readonly (string | TestTopic)[]
  /**
   * Directory for topics and metadata, created if it does not exist, and never removed. Default:
   * everything in memory.
   */
  readonly directory?: string
  /** Port to listen on. Default: a free one. */
  readonly port?: number
  /** Address to listen on and to advertise to clients. Default: 127.0.0.1. */
  readonly host?: string
  /** Whether a metadata request for a missing topic creates it, as in Kafka. Default: true. */
  readonly autoCreateTopics?: boolean
  /**
   * Other options of the broker, by Kafka's key: `{ 'message.max.bytes': 1000 }`. Some defaults
   * differ from a production broker: see docs/testing-clients.md.
   */
  readonly config?: Readonly<Partial<Record<BrokerOptionName, string | number | boolean>>>
  /**
   * Size of the disk in memory, in bytes. Default: 1 GiB. A test that writes without bound gets the
   * errors of a full disk instead of exhausting the memory of the process. Excludes `directory`.
   */
  readonly memoryBytes?: number
  /** Receives the log lines of the broker. Default: none. */
  readonly logger?: Logger
}

/** The options with defaults applied. */
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
 * Defaults that differ from production: no waits for durable disks, for members that may still
 * join, or for clients with open connections, and as few files as possible.
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
  // Without sessions each fetch names all its partitions, so that a fault matches the right one.
  'max.incremental.fetch.session.cache.slots': 0,
}

/** Keys that have an option of their own. */
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

/** Throws a TestBrokerError for an invalid option. */
export function planTestBroker(options: TestBrokerOptions): TestBrokerPlan {
  refuseUnknown(options)
  const { directory, host = '127.0.0.1', port = 0, autoCreateTopics = true } = options
  const { memoryBytes = gibibyte } = options
  if (directory === '') {
    throw invalidArgument('directory is empty: remove it to keep everything in memory')
  }
  if (directory !== undefined && options.memoryBytes !== undefined) {
    throw invalidArgument('memoryBytes and directory exclude each other: remove one of them')
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

/** Invalid names and configurations are refused by the broker. */
export function planTopic(topic: string | TestTopic): Required<TestTopic> {
  const { name, partitions = 1, configs = {} } = typeof topic === 'string' ? { name: topic } : topic
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument('a topic has no name: give a string, or { name, partitions, configs }')
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
    `unknown option ${unknown}${suggestion(unknown, known)}; the options are ${known.join(', ')}`,
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
    throw invalidArgument(`config: unknown broker option ${key}${meant}`)
  }
  const other = otherOptions[key]
  if (other !== undefined) throw invalidArgument(`config: use ${other} instead of ${key}`)
  const option: ConfigOption<unknown> = brokerOptions[key]
  const parsed = option.parse(String(value))
  if (parsed !== undefined) return parsed
  throw invalidArgument(`config: ${key} is "${value}", but must be ${option.bounds}`)
}
