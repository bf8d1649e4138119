// The `kafka.producer.` settings of the Kafka sink: Kafka's producer settings as of 4.1. Those with an
// effect are options; the others state why they have none.

import type { OptionSpec, OptionTable } from '../../configuration/options.ts'

const prefix = 'kafka.producer.'

const security = {
  type: 'security',
  doc: 'the sink connects without encryption and without authentication; use a listener for PLAINTEXT on a network that you trust, and remove this key',
} as const satisfies OptionSpec

/** Settings with an effect, or whose value may contradict the sink's behaviour. */
export const producerOptions = {
  'kafka.producer.client.id': {
    type: 'string',
    doc: 'the name under which brokers count and log the requests; millrace-agent-<sink> unless given',
  },
  'kafka.producer.compression.type': {
    type: 'string',
    default: 'none',
    doc: 'none, gzip, snappy, lz4 or zstd',
  },
  'kafka.producer.max.request.size': {
    type: 'integer',
    default: 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    doc: 'bytes of a batch, at most, before compression; an event that does not fit is split into several records',
  },
  'kafka.producer.batch.size': {
    type: 'integer',
    min: 1,
    doc: 'bytes of a batch, at most, if that is less than max.request.size; an event that is larger goes alone',
  },
  'kafka.producer.linger.ms': {
    type: 'integer',
    default: 0,
    max: 2 ** 31 - 1,
    doc: 'milliseconds that events wait for others, until flumeBatchSize of them are there',
  },
  'kafka.producer.request.timeout.ms': {
    type: 'integer',
    default: 30_000,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'milliseconds until an answer that does not come closes its connection',
  },
  'kafka.producer.retry.backoff.ms': {
    type: 'integer',
    default: 100,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'milliseconds before the first retry; the wait doubles with each further one',
  },
  'kafka.producer.retry.backoff.max.ms': {
    type: 'integer',
    default: 1000,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'the longest wait between retries, in milliseconds',
  },
  'kafka.producer.max.in.flight.requests.per.connection': {
    type: 'integer',
    default: 5,
    min: 1,
    doc: 'batches under way at once; at most 5, because a broker recognizes the last five',
  },
  'kafka.producer.acks': {
    type: 'ignored',
    harmless: ['all', '-1'],
    doc: 'acks is always all, so that no acknowledged event is lost with its leader',
  },
  'kafka.producer.enable.idempotence': {
    type: 'ignored',
    harmless: ['true'],
    doc: 'the producer is always idempotent, so that no event is stored twice',
  },
  'kafka.producer.security.protocol': { ...security, harmless: ['plaintext'] },
  'kafka.producer.security': security,
  'kafka.producer.sasl': security,
  'kafka.producer.ssl': security,
  ...ignored('events are retried until they are stored, as Flume would put them again', [
    'delivery.timeout.ms',
    'retries',
    'transaction.timeout.ms',
    'transactional.id',
  ]),
  ...ignored('at most five takes of max.request.size each are in memory', [
    'buffer.memory',
    'max.block.ms',
  ]),
  ...ignored(
    "events without a key or a partition of their own go to each partition in turn; keys are placed as Kafka's clients place them",
    [
      'partitioner.class',
      'partitioner.adaptive.partitioning.enable',
      'partitioner.availability.timeout.ms',
      'partitioner.ignore.keys',
    ],
  ),
  ...ignored('no code of yours runs in the sink', ['interceptor.classes']),
  'kafka.producer.key.serializer': serializer('key', 'String'),
  'kafka.producer.value.serializer': serializer('value', 'ByteArray'),
  ...ignored("kafka.bootstrap.servers says where the brokers are, as in Flume's sink", [
    'bootstrap.servers',
  ]),
  ...ignored("it tunes Kafka's Java client, which is not used", [
    'auto.include.jmx.reporter',
    'client.dns.lookup',
    'compression.gzip.level',
    'compression.lz4.level',
    'compression.zstd.level',
    'config.providers',
    'connections.max.idle.ms',
    'enable.metrics.push',
    'metadata.max.age.ms',
    'metadata.max.idle.ms',
    'metadata.recovery.rebootstrap.trigger.ms',
    'metadata.recovery.strategy',
    'metric.reporters',
    'metrics.num.samples',
    'metrics.recording.level',
    'metrics.sample.window.ms',
    'receive.buffer.bytes',
    'reconnect.backoff.max.ms',
    'reconnect.backoff.ms',
    'send.buffer.bytes',
    'socket.connection.setup.timeout.max.ms',
    'socket.connection.setup.timeout.ms',
  ]),
} as const satisfies OptionTable

function ignored(doc: string, keys: readonly string[]): Record<never, never> {
  return Object.fromEntries(keys.map((key) => [prefix + key, { type: 'ignored', doc }]))
}

/** The serializers that Flume itself sets write what this sink writes. */
function serializer(what: string, name: string): OptionSpec & { readonly type: 'ignored' } {
  const className = `org.apache.kafka.common.serialization.${name}Serializer`.toLowerCase()
  return { type: 'ignored', harmless: [className], doc: `a ${what} is sent as its bytes` }
}
