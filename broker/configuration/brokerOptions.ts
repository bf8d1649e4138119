// Everything a broker can be told, as one table in Kafka's own key names. The parser, the command
// line's help and the documentation page come from it; nothing else may define an option.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import { logLevels } from '../../protocol/telemetry/logLevel.ts'
import { BrokerError } from '../errors.ts'
import { type Property, parseProperties } from '../server/properties.ts'
import {
  boolean,
  type ConfigOption,
  choice,
  dynamic,
  int32Max,
  int64Max,
  integer,
  list,
  listElements,
  nonEmpty,
  string,
} from './configOption.ts'
import { connectionOverridesBounds, parseConnectionOverrides } from './connectionOverrides.ts'
import { logOptions } from './logDefaults.ts'
import { asksForProtection } from './securityOptions.ts'
import { unusedKeys, unusedReason } from './unusedOptions.ts'

export const brokerOptions = {
  'node.id': integer(1, 0, int32Max, 'The id of this broker.'),
  listeners: string(
    'PLAINTEXT://127.0.0.1:9092',
    'Addresses to listen on: NAME://host:port, separated by commas.',
  ),
  'advertised.listeners': string(
    '',
    'What clients of each listener are told to connect to; without it, the listener itself. Needed for a listener on all addresses.',
  ),
  'listener.security.protocol.map': string(
    'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'Security protocol of each listener: NAME:PROTOCOL, separated by commas. Only PLAINTEXT is served yet.',
  ),
  'controller.listener.names': string(
    'CONTROLLER',
    'Names of listeners that serve no clients; the controller is in the same process and needs none.',
  ),
  'log.level': choice(
    logLevels,
    'info',
    'Least level of the lines that the broker logs on standard error; the option --log-level wins.',
  ),
  'console.enable': boolean(
    true,
    'Serve the console, the admin REST API, metrics and health over HTTP, on 127.0.0.1 alone; the option --no-console wins.',
  ),
  'console.port': integer(
    8080,
    0,
    65_535,
    'Port of the console. 0 takes a free one, as does the default when it is in use; the option --console-port wins.',
  ),
  'http.metrics.listen': string(
    '',
    'A second address, host:port, that serves metrics, health and version alone, and may be reached by other hosts, who read them without a login; the option --metrics-listen wins.',
  ),
  'log.dir': string(
    '',
    'The directory that holds topics and metadata. Without it, the state directory that systemd gives, /var/lib/millrace/broker for root, or ~/.local/share/millrace/broker.',
  ),
  'log.dirs': list(
    '',
    'paths separated by commas',
    (path) => path !== '',
    'The folders that hold topics; the first also holds metadata. Without it, log.dir.',
  ),
  'auto.create.topics.enable': boolean(true, 'Create a topic when a client first asks for it.'),
  'delete.topic.enable': boolean(true, 'Whether clients may delete topics.'),
  'default.replication.factor': integer(
    1,
    1,
    32_767,
    'Replicas of a topic created without a number.',
  ),
  'num.partitions': integer(1, 1, 10_000, 'Partitions of a topic created without a number.'),
  flush: choice(
    ['group', 'os'],
    'group',
    'When an append is acknowledged: group, after a sync that many share; os, once written.',
  ),
  'flush.journal.file.bytes': integer(
    67_108_864,
    0,
    int32Max,
    'Size of each of the two files of the commit journal, through which partitions share syncs; 0: each syncs its own.',
  ),
  ...logOptions,
  'producer.id.expiration.ms': dynamic(
    integer(86_400_000, 1, int32Max, 'How long an idle producer is remembered for deduplication.'),
  ),
  'transaction.partition.verification.enable': dynamic(
    boolean(true, 'Ask the transaction coordinator before a log opens a transaction (KIP-890).'),
  ),
  'socket.request.max.bytes': integer(104_857_600, 1, int32Max, 'The largest request.'),
  'socket.outstanding.max.bytes': integer(
    16_777_216,
    1,
    int32Max,
    'Unanswered request bytes at which a connection is no longer read.',
  ),
  'max.connections': dynamic(
    integer(int32Max, 0, int32Max, 'Connections served at the same time.'),
  ),
  'max.connections.per.ip': dynamic(
    integer(int32Max, 0, int32Max, 'Connections served at the same time from one address.'),
  ),
  'max.connections.per.ip.overrides': dynamic({
    ...string('', 'Other limits for single addresses: address:number, separated by commas.'),
    bounds: connectionOverridesBounds,
    parse: (text) => (parseConnectionOverrides(text) ? text : undefined),
  }),
  'max.connection.creation.rate': dynamic(
    integer(int32Max, 1, int32Max, 'New connections taken in a second; more wait for their turn.'),
  ),
  'queued.max.request.bytes': integer(
    134_217_728,
    -1,
    int64Max,
    'Unanswered request bytes of all connections, half-received ones included, above which clients are read one at a time; and as much again for what requests take once they are decoded, of which one may have half. -1 without limit.',
  ),
  'queued.max.response.bytes': integer(
    134_217_728,
    -1,
    int64Max,
    'Bytes of answers of all connections that clients have not taken; above it fetches wait. -1 without limit.',
  ),
  'connections.max.idle.ms': integer(600_000, 1, int64Max, 'Idle time that ends a connection.'),
  'max.incremental.fetch.session.cache.slots': integer(
    1_000,
    0,
    int32Max,
    'Fetch sessions kept; clients without one send whole requests.',
  ),
  'fetch.max.bytes': integer(57_671_680, 1024, int32Max, 'The most bytes in a fetch response.'),
  'shutdown.drain.timeout.ms': integer(
    5_000,
    0,
    int32Max,
    'How long a stopping broker waits for requests in flight.',
  ),
  'http.metrics.partitions': dynamic(
    boolean(
      true,
      'Whether /metrics has series of each partition, and of each partition of a group; those of topics and groups are always there.',
    ),
  ),
  'http.metrics.max.topics': dynamic(
    integer(10_000, 0, int32Max, 'The most topics that have series in /metrics.'),
  ),
  'http.metrics.max.partitions': dynamic(
    integer(
      20_000,
      0,
      int32Max,
      'The most partitions of topics, and of groups, that have series in /metrics.',
    ),
  ),
  'http.metrics.max.groups': dynamic(
    integer(1_000, 0, int32Max, 'The most groups that have series in /metrics.'),
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
  'group.consumer.session.timeout.ms': integer(
    45_000,
    1,
    int32Max,
    'After which silence a member of a consumer group (KIP-848) is taken for dead.',
  ),
  'group.consumer.min.session.timeout.ms': integer(
    45_000,
    1,
    int32Max,
    'The least that consumer.session.timeout.ms of a group may be.',
  ),
  'group.consumer.max.session.timeout.ms': integer(
    60_000,
    1,
    int32Max,
    'The most that consumer.session.timeout.ms of a group may be.',
  ),
  'group.consumer.heartbeat.interval.ms': integer(
    5_000,
    1,
    int32Max,
    'How often members of a consumer group (KIP-848) are told to say that they live.',
  ),
  'group.consumer.min.heartbeat.interval.ms': integer(
    5_000,
    1,
    int32Max,
    'The least that consumer.heartbeat.interval.ms of a group may be.',
  ),
  'group.consumer.max.heartbeat.interval.ms': integer(
    15_000,
    1,
    int32Max,
    'The most that consumer.heartbeat.interval.ms of a group may be.',
  ),
  'group.consumer.max.size': integer(
    int32Max,
    1,
    int32Max,
    'The most members of one consumer group (KIP-848).',
  ),
  'group.consumer.assignors': nonEmpty(
    list(
      'uniform,range',
      'uniform and range, or one of them',
      (name) => name === 'uniform' || name === 'range',
      'Who assigns partitions in consumer groups (KIP-848); the first where members do not choose.',
    ),
  ),
  'group.consumer.migration.policy': choice(
    ['bidirectional', 'upgrade', 'downgrade', 'disabled'],
    'bidirectional',
    'Whether groups change between the classic protocol and that of KIP-848 while members are in them.',
  ),
  'group.max.size': integer(int32Max, 1, int32Max, 'The most members of one group.'),
  'offset.metadata.max.bytes': integer(
    4096,
    0,
    int32Max,
    'The most metadata with one committed offset.',
  ),
  'offsets.retention.minutes': integer(
    10_080,
    1,
    int32Max,
    'How long offsets are kept that no member of their group needs any more.',
  ),
  'offsets.retention.check.interval.ms': integer(
    600_000,
    1,
    int64Max,
    'How often offsets are looked for that have been kept long enough.',
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
  'transaction.max.timeout.ms': integer(
    900_000,
    1,
    int32Max,
    'The longest timeout that a transactional producer may ask for.',
  ),
  'transactional.id.expiration.ms': integer(
    604_800_000,
    1,
    int32Max,
    'How long an idle transactional id is remembered.',
  ),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': integer(
    10_000,
    1,
    int32Max,
    'How often transactions are looked for that have been open for too long.',
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': integer(
    3_600_000,
    1,
    int32Max,
    'How often transactional ids are looked for that are no longer remembered.',
  ),
  'transaction.state.log.num.partitions': integer(
    50,
    1,
    10_000,
    'Partitions of __transaction_state; fixed once the topic exists. Created when first used.',
  ),
  'transaction.state.log.segment.bytes': integer(
    104_857_600,
    1024,
    int32Max,
    'Size at which a segment of __transaction_state is rolled.',
  ),
} as const satisfies Record<
  string,
  | ConfigOption<number>
  | ConfigOption<number | undefined>
  | ConfigOption<boolean>
  | ConfigOption<string>
>

/** Name of an option of a broker: a key of Kafka's server.properties, or one of the few of Millrace. */
export type BrokerOptionName = keyof typeof brokerOptions

export type BrokerConfig = {
  readonly [Name in BrokerOptionName]: (typeof brokerOptions)[Name] extends ConfigOption<
    infer Value
  >
    ? Value
    : never
}

export const brokerOptionNames = Object.keys(brokerOptions) as BrokerOptionName[]

/** A whole configuration: the defaults, with `values` in their place. */
export function brokerConfig(values: Partial<BrokerConfig> = {}): BrokerConfig {
  const defaults = Object.fromEntries(
    brokerOptionNames.map((name) => [name, brokerOptions[name].default]),
  )
  return { ...defaults, ...values } as BrokerConfig
}

/** A key of a configuration file that has no effect here: no option has it, or one that is kept for tools. */
export interface UnusedOption {
  readonly line: number
  readonly key: string
  /** Set for an option of Kafka's that is left alone on purpose, which is worth no warning. */
  readonly reason?: string
  /** The key that was probably meant. */
  readonly suggestion?: string
}

/**
 * Reads a properties file. What cannot be read is a BrokerError that names file, line and key, and so is
 * what asks for a protection that the broker does not have; keys that are Kafka's and not ours are
 * listed, so that an existing server.properties can be used.
 */
export function parseBrokerConfig(
  text: string,
  file: string,
): { values: Partial<BrokerConfig>; unused: UnusedOption[] } {
  const values: Record<string, unknown> = {}
  const unused: UnusedOption[] = []
  const properties = parseProperties(text, file)
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

/** `broker.id` is Kafka's older name of `node.id`; the two may not differ. */
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

export function isOptionName(key: string): key is BrokerOptionName {
  return Object.hasOwn(brokerOptions, key)
}

/** The data directories that are configured: none when the program is to choose. */
export function dataDirectories(config: BrokerConfig): string[] {
  const several = listElements(config['log.dirs'])
  if (several.length > 0) return several
  return config['log.dir'] === '' ? [] : [config['log.dir']]
}
