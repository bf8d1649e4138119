// The table of broker options, under Kafka's key names where Kafka has the option. The reader of
// the configuration file, the help of the command line, DescribeConfigs and the documentation page
// are all made from it. Contract: no option of the broker is defined anywhere else.

import { logLevels } from '../../protocol/telemetry/logging/logLevel.ts'
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
  restricted,
  string,
} from './configOption.ts'
import { connectionOverridesBounds, parseConnectionOverrides } from './connectionOverrides.ts'
import { coordinationOptions } from './coordinationOptions.ts'
import { logDefaults } from './logDefaults.ts'

export const brokerOptions = {
  'node.id': integer(1, 0, int32Max, 'Id of this broker, unique in the cluster.'),
  listeners: string(
    'PLAINTEXT://127.0.0.1:9092',
    'Addresses to listen on: NAME://host:port, separated by commas.',
  ),
  'advertised.listeners': string(
    '',
    'Addresses that clients of each listener are told to connect to: NAME://host:port, separated by commas. Default: the listener itself. Required for a listener on all addresses.',
  ),
  'listener.security.protocol.map': string(
    'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'Security protocol of each listener: NAME:PROTOCOL, separated by commas. Only PLAINTEXT is served yet.',
  ),
  'controller.listener.names': string(
    'CONTROLLER',
    'Names of listeners that serve no clients. They are not opened: the controller runs in the same process.',
  ),
  'log.level': choice(
    logLevels,
    'info',
    'Minimum level of log lines. The option --log-level wins.',
  ),
  'console.enable': boolean(
    true,
    'Whether to serve the console, the admin REST API, metrics and health over HTTP, on 127.0.0.1 only. The option --no-console wins.',
  ),
  'console.port': integer(
    8080,
    0,
    65_535,
    'Port of the console. 0 takes a free port; so does the default when it is in use. The option --console-port wins.',
  ),
  'http.metrics.listen': string(
    '',
    'Second HTTP address, host:port, that serves only metrics, health and version, without a login; other hosts may reach it. The option --metrics-listen wins.',
  ),
  'log.dir': string(
    '',
    'Data directory for topics and metadata. Default: the state directory of systemd, /var/lib/millrace/broker for root, or ~/.local/share/millrace/broker.',
  ),
  'log.dirs': list(
    '',
    'paths separated by commas',
    (path) => path !== '',
    'Data directories for topics; the first also holds metadata. Default: log.dir.',
  ),
  ...coordinationOptions,
  'auto.create.topics.enable': boolean(
    true,
    'Whether a topic is created when a client first asks for it.',
  ),
  'delete.topic.enable': boolean(true, 'Whether clients may delete topics.'),
  'default.replication.factor': integer(
    1,
    1,
    32_767,
    'Replication factor of topics created without one.',
  ),
  'num.partitions': integer(1, 1, 10_000, 'Number of partitions of topics created without one.'),
  flush: choice(
    ['group', 'os'],
    'group',
    'When an append is acknowledged: group, after a sync that many appends share; os, after the write to the page cache.',
  ),
  'flush.journal.file.bytes': integer(
    67_108_864,
    0,
    int32Max,
    'Size of each of the two files of the commit journal, in bytes. Partitions share syncs through the journal; with 0 each partition syncs its own log.',
  ),
  ...logDefaults,
  'producer.id.expiration.ms': dynamic(
    integer(
      86_400_000,
      1,
      int32Max,
      'How long the producer state of an idle producer is kept for deduplication, in ms.',
    ),
  ),
  'transaction.partition.verification.enable': dynamic(
    boolean(
      true,
      'Whether the transaction coordinator is asked before a log opens a transaction (KIP-890).',
    ),
  ),
  'socket.request.max.bytes': integer(
    104_857_600,
    1,
    int32Max,
    'Maximum size of a request, in bytes.',
  ),
  'socket.outstanding.max.bytes': integer(
    16_777_216,
    1,
    int32Max,
    'Maximum bytes of unanswered requests of a connection; above it the connection is not read.',
  ),
  'max.connections': dynamic(integer(int32Max, 0, int32Max, 'Maximum number of connections.')),
  'max.connections.per.ip': dynamic(
    integer(int32Max, 0, int32Max, 'Maximum number of connections from one IP address.'),
  ),
  'max.connections.per.ip.overrides': dynamic(
    restricted(
      string(
        '',
        'Limits for single IP addresses in place of max.connections.per.ip: address:number, separated by commas.',
      ),
      connectionOverridesBounds,
      (text) => parseConnectionOverrides(text) !== undefined,
    ),
  ),
  'max.connection.creation.rate': dynamic(
    integer(
      int32Max,
      1,
      int32Max,
      'Maximum rate of new connections per second; connections above it are delayed.',
    ),
  ),
  'queued.max.request.bytes': integer(
    134_217_728,
    -1,
    int64Max,
    'Maximum bytes of unanswered requests of all connections, incomplete ones included; above it clients are read one at a time. The same limit again applies to decoded requests, of which one may take half. -1: no limit.',
  ),
  'queued.max.response.bytes': integer(
    134_217_728,
    -1,
    int64Max,
    'Maximum bytes of responses that clients have not received, over all connections; above it fetches wait. -1: no limit.',
  ),
  'connections.max.idle.ms': integer(
    600_000,
    1,
    int64Max,
    'Idle time after which a connection is closed, in ms.',
  ),
  'max.incremental.fetch.session.cache.slots': integer(
    1_000,
    0,
    int32Max,
    'Maximum number of fetch sessions; clients without a session send full fetch requests.',
  ),
  'fetch.max.bytes': integer(
    57_671_680,
    1024,
    int32Max,
    'Maximum bytes of records in a fetch response.',
  ),
  'shutdown.drain.timeout.ms': integer(
    5_000,
    0,
    int32Max,
    'How long a stopping broker waits for requests in flight, in ms.',
  ),
  'http.metrics.partitions': dynamic(
    boolean(
      true,
      'Whether /metrics has series for each partition, and for each partition of a group. Series for topics and groups are always present.',
    ),
  ),
  'http.metrics.max.topics': dynamic(
    integer(10_000, 0, int32Max, 'Maximum number of topics with series in /metrics.'),
  ),
  'http.metrics.max.partitions': dynamic(
    integer(
      20_000,
      0,
      int32Max,
      'Maximum number of partitions of topics, and of groups, with series in /metrics.',
    ),
  ),
  'http.metrics.max.groups': dynamic(
    integer(1_000, 0, int32Max, 'Maximum number of groups with series in /metrics.'),
  ),
  'group.initial.rebalance.delay.ms': integer(
    3_000,
    0,
    int32Max,
    'How long an empty group waits for more members before its first rebalance, in ms.',
  ),
  'group.min.session.timeout.ms': integer(
    6_000,
    1,
    int32Max,
    'Minimum session timeout of a member of a classic group, in ms.',
  ),
  'group.max.session.timeout.ms': integer(
    1_800_000,
    1,
    int32Max,
    'Maximum session timeout of a member of a classic group, in ms.',
  ),
  'group.consumer.session.timeout.ms': integer(
    45_000,
    1,
    int32Max,
    'How long the coordinator waits for a heartbeat before it removes a member of a consumer group (KIP-848), in ms.',
  ),
  'group.consumer.min.session.timeout.ms': integer(
    45_000,
    1,
    int32Max,
    'Minimum of consumer.session.timeout.ms of a group.',
  ),
  'group.consumer.max.session.timeout.ms': integer(
    60_000,
    1,
    int32Max,
    'Maximum of consumer.session.timeout.ms of a group.',
  ),
  'group.consumer.heartbeat.interval.ms': integer(
    5_000,
    1,
    int32Max,
    'Heartbeat interval of members of a consumer group (KIP-848), in ms.',
  ),
  'group.consumer.min.heartbeat.interval.ms': integer(
    5_000,
    1,
    int32Max,
    'Minimum of consumer.heartbeat.interval.ms of a group.',
  ),
  'group.consumer.max.heartbeat.interval.ms': integer(
    15_000,
    1,
    int32Max,
    'Maximum of consumer.heartbeat.interval.ms of a group.',
  ),
  'group.consumer.max.size': integer(
    int32Max,
    1,
    int32Max,
    'Maximum number of members of a consumer group (KIP-848).',
  ),
  'group.consumer.assignors': nonEmpty(
    list(
      'uniform,range',
      'uniform and range, or one of them',
      (name) => name === 'uniform' || name === 'range',
      'Server-side assignors of consumer groups (KIP-848). The first is the default where members choose none.',
    ),
  ),
  'group.consumer.migration.policy': choice(
    ['bidirectional', 'upgrade', 'downgrade', 'disabled'],
    'bidirectional',
    'Whether non-empty groups may convert between the classic protocol and that of KIP-848.',
  ),
  'group.max.size': integer(int32Max, 1, int32Max, 'Maximum number of members of a classic group.'),
  'offset.metadata.max.bytes': integer(
    4096,
    0,
    int32Max,
    'Maximum size of the metadata of a committed offset, in bytes.',
  ),
  'offsets.retention.minutes': integer(
    10_080,
    1,
    int32Max,
    'How long committed offsets are kept after their group stopped using them, in minutes.',
  ),
  'offsets.retention.check.interval.ms': integer(
    600_000,
    1,
    int64Max,
    'Interval between checks for expired offsets, in ms.',
  ),
  'offsets.topic.num.partitions': integer(
    50,
    1,
    10_000,
    'Number of partitions of __consumer_offsets; fixed once the topic exists. The topic is created lazily.',
  ),
  'offsets.topic.segment.bytes': integer(
    104_857_600,
    1024,
    int32Max,
    'Size at which a segment of __consumer_offsets is rolled, in bytes.',
  ),
  'transaction.max.timeout.ms': integer(
    900_000,
    1,
    int32Max,
    'Maximum transaction timeout that a producer may request, in ms.',
  ),
  'transactional.id.expiration.ms': integer(
    604_800_000,
    1,
    int32Max,
    'How long an idle transactional id is kept, in ms.',
  ),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': integer(
    10_000,
    1,
    int32Max,
    'Interval between checks for timed-out transactions, in ms.',
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': integer(
    3_600_000,
    1,
    int32Max,
    'Interval between checks for expired transactional ids, in ms.',
  ),
  'transaction.state.log.num.partitions': integer(
    50,
    1,
    10_000,
    'Number of partitions of __transaction_state; fixed once the topic exists. The topic is created lazily.',
  ),
  'transaction.state.log.segment.bytes': integer(
    104_857_600,
    1024,
    int32Max,
    'Size at which a segment of __transaction_state is rolled, in bytes.',
  ),
} as const satisfies Record<
  string,
  | ConfigOption<number>
  | ConfigOption<number | undefined>
  | ConfigOption<boolean>
  | ConfigOption<string>
>

/** A key of Kafka's server.properties, or one of the few keys of Millrace. */
export type BrokerOptionName = keyof typeof brokerOptions

export type BrokerConfig = {
  readonly [Name in BrokerOptionName]: (typeof brokerOptions)[Name] extends ConfigOption<
    infer Value
  >
    ? Value
    : never
}

export const brokerOptionNames = Object.keys(brokerOptions) as BrokerOptionName[]

/** A complete configuration: `values`, and defaults for the rest. */
export function brokerConfig(values: Partial<BrokerConfig> = {}): BrokerConfig {
  const defaults = Object.fromEntries(
    brokerOptionNames.map((name) => [name, brokerOptions[name].default]),
  )
  return { ...defaults, ...values } as BrokerConfig
}

export function isOptionName(key: string): key is BrokerOptionName {
  return Object.hasOwn(brokerOptions, key)
}

/** The configured data directories; empty when none is configured and the program chooses. */
export function dataDirectories(config: BrokerConfig): string[] {
  const several = listElements(config['log.dirs'])
  if (several.length > 0) return several
  return config['log.dir'] === '' ? [] : [config['log.dir']]
}
