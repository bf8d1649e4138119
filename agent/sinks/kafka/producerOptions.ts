// The `kafka.producer.` settings of the Kafka sink: the producer settings of Kafka 4.1. A setting
// with an effect is an option; every other setting states why it has none.

import type { OptionSpec, OptionTable } from '../../configuration/options.ts'

const prefix = 'kafka.producer.'

const security = {
  type: 'security',
  doc: 'the sink connects without encryption and authentication; use a PLAINTEXT listener on a trusted network and remove this key',
} as const satisfies OptionSpec

/** Settings with an effect, or whose value may contradict the sink's behaviour. */
export const producerOptions = {
  'kafka.producer.client.id': {
    type: 'string',
    doc: 'Client id that the brokers log. Default: millrace-agent-<sink>.',
  },
  'kafka.producer.compression.type': {
    type: 'string',
    default: 'none',
    doc: 'Compression of record batches: none, gzip, snappy, lz4 or zstd.',
  },
  'kafka.producer.max.request.size': {
    type: 'integer',
    default: 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    doc: 'Maximum size of a record batch before compression, in bytes; an event that does not fit is split into several records.',
  },
  'kafka.producer.batch.size': {
    type: 'integer',
    min: 1,
    doc: 'Maximum size of a record batch, in bytes, if smaller than max.request.size; a larger event is sent in a batch of its own.',
  },
  'kafka.producer.linger.ms': {
    type: 'integer',
    default: 0,
    max: 2 ** 31 - 1,
    doc: 'Time that a take waits for flumeBatchSize events, in ms.',
  },
  'kafka.producer.request.timeout.ms': {
    type: 'integer',
    default: 30_000,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'Time to wait for a response before the connection is closed, in ms.',
  },
  'kafka.producer.retry.backoff.ms': {
    type: 'integer',
    default: 100,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'Wait before the first retry, in ms; it doubles with each further retry.',
  },
  'kafka.producer.retry.backoff.max.ms': {
    type: 'integer',
    default: 1000,
    min: 1,
    max: 2 ** 31 - 1,
    doc: 'Maximum wait between retries, in ms.',
  },
  'kafka.producer.max.in.flight.requests.per.connection': {
    type: 'integer',
    default: 5,
    min: 1,
    doc: 'Maximum number of takes in flight. More than 5 count as 5, because a broker remembers the last five batches of a producer.',
  },
  'kafka.producer.acks': {
    type: 'ignored',
    harmless: ['all', '-1'],
    doc: 'acks is always all, so that an acknowledged event survives the loss of the leader',
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
  ...ignored('a take is retried until it is stored, and needs no transaction of Kafka', [
    'delivery.timeout.ms',
    'retries',
    'transaction.timeout.ms',
    'transactional.id',
  ]),
  ...ignored('memory is bounded by five takes of max.request.size each', [
    'buffer.memory',
    'max.block.ms',
  ]),
  ...ignored(
    "takes without keys and partitions go to each partition in turn; keys are hashed as by Kafka's clients",
    [
      'partitioner.class',
      'partitioner.adaptive.partitioning.enable',
      'partitioner.availability.timeout.ms',
      'partitioner.ignore.keys',
    ],
  ),
  ...ignored('the sink loads no Java classes', ['interceptor.classes']),
  'kafka.producer.key.serializer': serializer('key', 'String'),
  'kafka.producer.value.serializer': serializer('value', 'ByteArray'),
  ...ignored("the brokers are set in kafka.bootstrap.servers, as in Flume's sink", [
    'bootstrap.servers',
  ]),
  ...ignored("it configures Kafka's Java client, which is not used", [
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

/** A serializer setting; the classes that Flume itself sets match what this sink writes. */
function serializer(what: string, name: string): OptionSpec & { readonly type: 'ignored' } {
  const className = `org.apache.kafka.common.serialization.${name}Serializer`.toLowerCase()
  return {
    type: 'ignored',
    harmless: [className],
    doc: `the ${what} of a record is always sent as bytes`,
  }
}
