// Everything a broker can be told, as one table in Kafka's own key names. The parser, the command
// line's help and the documentation page come from it; nothing else may define an option.

import { BrokerError } from './errors.ts'
import { parseProperties } from './server/properties.ts'

/** One option: how its text is read, what it is without one, and what it is for. */
export interface ConfigOption<Value> {
  readonly type: 'integer' | 'boolean' | 'string' | 'choice'
  readonly default: Value
  /** Allowed values, for people: `0 to 1000`, `group or os`. */
  readonly bounds: string
  readonly doc: string
  /** The value, or undefined when the text is not one within the bounds. */
  readonly parse: (text: string) => Value | undefined
}

const int32Max = 2 ** 31 - 1
const int64Max = Number.MAX_SAFE_INTEGER

function integer(standard: number, min: number, max: number, doc: string): ConfigOption<number> {
  return {
    type: 'integer',
    default: standard,
    bounds: max === int64Max ? `${min} or more` : `${min} to ${max}`,
    doc,
    parse(text) {
      if (!/^-?\d+$/.test(text)) return undefined
      const value = Number(text)
      return value >= min && value <= max ? value : undefined
    },
  }
}

function boolean(standard: boolean, doc: string): ConfigOption<boolean> {
  const parse = (text: string) => ({ true: true, false: false })[text.toLowerCase()]
  return { type: 'boolean', default: standard, bounds: 'true or false', doc, parse }
}

function string(standard: string, doc: string): ConfigOption<string> {
  return { type: 'string', default: standard, bounds: 'any text', doc, parse: (text) => text }
}

function choice<const C extends string>(
  choices: readonly C[],
  standard: NoInfer<C>,
  doc: string,
): ConfigOption<C> {
  const parse = (text: string) => choices.find((value) => value === text)
  return { type: 'choice', default: standard, bounds: choices.join(' or '), doc, parse }
}

export const brokerOptions = {
  'node.id': integer(1, 0, int32Max, 'The id of this broker.'),
  listeners: string(
    'PLAINTEXT://127.0.0.1:9092',
    'Addresses to listen on: NAME://host:port, separated by commas.',
  ),
  'advertised.listeners': string(
    '',
    'What clients of each listener are told to connect to; without it, the listener itself.',
  ),
  'log.dir': string('millrace-data', 'The folder that holds topics and metadata.'),
  'auto.create.topics.enable': boolean(true, 'Create a topic when a client first asks for it.'),
  'num.partitions': integer(1, 1, 10_000, 'Partitions of a topic created without a number.'),
  'message.max.bytes': integer(1_048_588, 0, int32Max, 'The largest record batch, in bytes.'),
  flush: choice(
    ['group', 'os'],
    'group',
    'When an append is acknowledged: group, after a sync that many share; os, once written.',
  ),
  'log.segment.bytes': integer(1_073_741_824, 1024, int32Max, 'Size at which a segment is rolled.'),
  'log.roll.ms': integer(604_800_000, 1, int64Max, 'Age at which a segment is rolled.'),
  'log.index.interval.bytes': integer(4096, 0, int32Max, 'Bytes of log between index entries.'),
  'log.index.size.max.bytes': integer(10_485_760, 4, int32Max, 'The largest index of a segment.'),
  'log.retention.ms': integer(
    604_800_000,
    -1,
    int64Max,
    'How long records are kept; -1 forever. Kept for Kafka tools: nothing is removed yet.',
  ),
  'log.retention.bytes': integer(
    -1,
    -1,
    int64Max,
    'Bytes kept of a partition; -1 without limit. Kept for Kafka tools: nothing is removed yet.',
  ),
  'log.cleanup.policy': choice(
    ['delete', 'compact', 'compact,delete'],
    'delete',
    'What becomes of old records. Kept for Kafka tools: nothing is removed yet.',
  ),
  'log.message.timestamp.type': choice(
    ['CreateTime', 'LogAppendTime'],
    'CreateTime',
    'Whose clock stamps records.',
  ),
  'producer.id.expiration.ms': integer(
    86_400_000,
    1,
    int64Max,
    'How long an idle producer is remembered for deduplication.',
  ),
  'socket.request.max.bytes': integer(104_857_600, 1, int32Max, 'The largest request.'),
  'socket.outstanding.max.bytes': integer(
    16_777_216,
    1,
    int32Max,
    'Unanswered request bytes at which a connection is no longer read.',
  ),
  'max.connections': integer(int32Max, 1, int32Max, 'Connections served at the same time.'),
  'connections.max.idle.ms': integer(600_000, 1, int64Max, 'Idle time that ends a connection.'),
  'fetch.max.bytes': integer(57_671_680, 1024, int32Max, 'The most bytes in a fetch response.'),
  'shutdown.drain.timeout.ms': integer(
    5_000,
    0,
    int32Max,
    'How long a stopping broker waits for requests in flight.',
  ),
  'group.initial.rebalance.delay.ms': integer(
    3_000,
    0,
    int32Max,
    'How long an empty group waits for more members before its first rebalance.',
  ),
  'group.min.session.timeout.ms': integer(6_000, 1, int32Max, 'The shortest session of a member.'),
  'group.max.session.timeout.ms': integer(
    1_800_000,
    1,
    int32Max,
    'The longest session of a member.',
  ),
  'group.max.size': integer(int32Max, 1, int32Max, 'The most members of one group.'),
  'offset.metadata.max.bytes': integer(
    4096,
    0,
    int32Max,
    'The most metadata with one committed offset.',
  ),
  'offsets.topic.num.partitions': integer(
    50,
    1,
    10_000,
    'Partitions of __consumer_offsets; fixed once the topic exists. Created when first used.',
  ),
  'offsets.topic.segment.bytes': integer(
    104_857_600,
    1024,
    int32Max,
    'Size at which a segment of __consumer_offsets is rolled.',
  ),
} as const satisfies Record<
  string,
  ConfigOption<number> | ConfigOption<boolean> | ConfigOption<string>
>

export type BrokerOptionName = keyof typeof brokerOptions

export type BrokerConfig = {
  readonly [Name in BrokerOptionName]: (typeof brokerOptions)[Name] extends ConfigOption<
    infer Value
  >
    ? Value
    : never
}

const optionNames = Object.keys(brokerOptions) as BrokerOptionName[]

/** A whole configuration: the defaults, with `values` in their place. */
export function brokerConfig(values: Partial<BrokerConfig> = {}): BrokerConfig {
  const defaults = Object.fromEntries(
    optionNames.map((name) => [name, brokerOptions[name].default]),
  )
  return { ...defaults, ...values } as BrokerConfig
}

/** A key of a configuration file that no option has: worth a warning, as in Kafka. */
export interface UnknownOption {
  readonly line: number
  readonly key: string
}

/**
 * Reads a properties file. What cannot be read is a BrokerError that names file, line and key; keys
 * that are Kafka's and not ours are listed, so that an existing server.properties can be used.
 */
export function parseBrokerConfig(
  text: string,
  file: string,
): { values: Partial<BrokerConfig>; unknown: UnknownOption[] } {
  const values: Record<string, unknown> = {}
  const unknown: UnknownOption[] = []
  for (const { key, value, line } of parseProperties(text, file)) {
    if (!isOptionName(key)) {
      unknown.push({ line, key })
      continue
    }
    const option = brokerOptions[key]
    const parsed = option.parse(value)
    if (parsed === undefined) {
      throw new BrokerError(
        'CONFIGURATION_INVALID',
        `${file}:${line}: ${key} is "${value}", but must be ${option.bounds}`,
      )
    }
    values[key] = parsed
  }
  return { values: values as Partial<BrokerConfig>, unknown }
}

function isOptionName(key: string): key is BrokerOptionName {
  return Object.hasOwn(brokerOptions, key)
}
