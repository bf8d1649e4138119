// What a plan says of the system `broker`: the configuration of the brokers and the load of their
// clients, drawn for each seed. Small segments, journals and caches, so that what is rare in
// production (a roll, a checkpoint, a compaction) happens all the time.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { chance, oneOf, whole } from '../../plan/swarm.ts'

export interface TopicParameters {
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

export interface Workload {
  readonly thinkMs: number
  readonly valueBytes: number
  readonly inFlight: number
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly transactionTimeoutMs: number
  /** Whether two transactional producers have the same id. */
  readonly sharesTransactionalId: boolean
}

/** Number of clients of each kind. */
export type BrokerLoad = Readonly<
  Record<
    | 'producers'
    | 'careless'
    | 'transactional'
    | 'members'
    | 'consumers'
    | 'sessions'
    | 'administrators'
    | 'committers'
    | 'keyWriters'
    | 'recreators'
    | 'rereaders'
    | 'pipelining'
    | 'bursts'
    | 'hasty'
    | 'keyTransactions',
    number
  >
>

/** One broker of the cluster; another one is another line. */
export interface BrokerSpec {
  readonly host: string
  readonly nodeId: number
}

export interface BrokerParameters {
  readonly brokers: readonly BrokerSpec[]
  readonly config: Partial<BrokerConfig>
  readonly logTopic: TopicParameters
  readonly transactionTopic: TopicParameters
  readonly keyedTopic: TopicParameters
  readonly workload: Workload
}

export function drawBrokerParameters(random: Random): BrokerParameters {
  return {
    brokers: [{ host: 'broker-1', nodeId: 1 }],
    config: drawConfig(random.fork('config')),
    logTopic: drawTopic(random.fork('log topic'), 'log'),
    transactionTopic: drawTopic(random.fork('transaction topic'), 'transfers'),
    keyedTopic: drawKeyedTopic(random.fork('keyed topic')),
    workload: drawWorkload(random.fork('workload')),
  }
}

function drawTopic(random: Random, name: string): TopicParameters {
  const segmentBytes = String(oneOf(random, [1000, 4000, 20_000]))
  return {
    name,
    partitions: whole(random, 1, 2),
    configs: { 'internal.segment.bytes': segmentBytes, 'retention.bytes': '-1' },
  }
}

function drawKeyedTopic(random: Random): TopicParameters {
  return {
    name: 'keyed',
    partitions: 1,
    configs: {
      'cleanup.policy': 'compact',
      'internal.segment.bytes': String(oneOf(random, [1000, 3000])),
      'min.cleanable.dirty.ratio': oneOf(random, ['0', '0.5']),
      'delete.retention.ms': oneOf(random, ['0', '100']),
    },
  }
}

function drawConfig(random: Random): Partial<BrokerConfig> {
  return {
    'auto.create.topics.enable': false,
    'log.dir.reserved.bytes': oneOf(random, [0, 0, 4096]),
    'flush.journal.file.bytes': oneOf(random, [0, 2000, 20_000, 200_000]),
    'log.retention.check.interval.ms': oneOf(random, [20, 200]),
    'log.initial.task.delay.ms': oneOf(random, [0, 100]),
    'log.cleaner.backoff.ms': oneOf(random, [10, 200]),
    'log.cleaner.dedupe.buffer.size': 1_048_576,
    'log.segment.delete.delay.ms': oneOf(random, [0, 20, 500]),
    'log.flush.offset.checkpoint.interval.ms': oneOf(random, [20, 200, 2000]),
    'offsets.topic.num.partitions': whole(random, 1, 2),
    'offsets.topic.segment.bytes': oneOf(random, [4000, 100_000]),
    'transaction.state.log.num.partitions': whole(random, 1, 2),
    'transaction.state.log.segment.bytes': oneOf(random, [2000, 100_000]),
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': oneOf(random, [20, 200]),
    'group.initial.rebalance.delay.ms': oneOf(random, [0, 0, 50]),
    'group.min.session.timeout.ms': 10,
    'group.consumer.min.session.timeout.ms': 10,
    'group.consumer.session.timeout.ms': oneOf(random, [300, 2000]),
    'group.consumer.min.heartbeat.interval.ms': 1,
    'group.consumer.heartbeat.interval.ms': oneOf(random, [20, 100]),
    'max.incremental.fetch.session.cache.slots': oneOf(random, [0, 1, 1000]),
    'shutdown.drain.timeout.ms': oneOf(random, [0, 100]),
    ...drawDirectories(random.fork('directories')),
    ...drawLimits(random.fork('limits')),
    'compression.type': oneOf(random, ['producer', 'producer', 'lz4', 'snappy']),
    'log.message.timestamp.type': oneOf(random, ['CreateTime', 'CreateTime', 'LogAppendTime']),
  }
}

/** With several data directories, one may fail while the others are served. */
function drawDirectories(random: Random): Partial<BrokerConfig> {
  return chance(random, 0.3) ? { 'log.dirs': '/data,/more' } : {}
}

/** Limits that make requests, answers and idle connections wait or end. */
function drawLimits(random: Random): Partial<BrokerConfig> {
  return {
    ...(chance(random, 0.2) && { 'queued.max.request.bytes': whole(random, 3000, 30_000) }),
    ...(chance(random, 0.2) && { 'queued.max.response.bytes': whole(random, 20_000, 60_000) }),
    ...(chance(random, 0.2) && { 'socket.outstanding.max.bytes': whole(random, 1000, 10_000) }),
    ...(chance(random, 0.2) && { 'fetch.max.bytes': whole(random, 1024, 10_000) }),
    ...(chance(random, 0.2) && { 'connections.max.idle.ms': whole(random, 100, 1000) }),
  }
}

function drawWorkload(random: Random): Workload {
  return {
    thinkMs: oneOf(random, [5, 20, 60]),
    valueBytes: oneOf(random, [1, 50, 400]),
    inFlight: whole(random, 1, 8),
    requestTimeoutMs: oneOf(random, [200, 1000, 5000]),
    deliveryTimeoutMs: oneOf(random, [300, 3000, 120_000]),
    sessionTimeoutMs: oneOf(random, [200, 1000]),
    transactionTimeoutMs: oneOf(random, [100, 1000, 60_000]),
    sharesTransactionalId: chance(random, 0.3),
  }
}

export function drawBrokerLoad(random: Random): BrokerLoad {
  return {
    producers: whole(random, 0, 2),
    careless: whole(random, 0, 1),
    transactional: whole(random, 0, 2),
    members: whole(random, 0, 2),
    consumers: whole(random, 0, 2),
    sessions: whole(random, 0, 1),
    administrators: whole(random, 0, 1),
    committers: whole(random, 0, 1),
    keyWriters: whole(random, 0, 1),
    recreators: whole(random, 0, 1),
    rereaders: whole(random, 0, 1),
    pipelining: seldom(random.fork('pipelining')),
    bursts: seldom(random.fork('bursts')),
    hasty: seldom(random.fork('hasty')),
    keyTransactions: seldom(random.fork('key transactions')),
  }
}

/** One client in one seed of four. */
function seldom(random: Random): number {
  return chance(random, 0.25) ? 1 : 0
}
