// The options of the Kafka sink under Flume's names, deprecated ones included, and the settings
// that they yield. Checks values only: nothing here connects to a broker.

import { Compression } from '../../../protocol/bytes/compression.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'
import type { ComponentConfiguration } from '../../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, quoted, readOptions } from '../../configuration/options.ts'
import { hasEscapes, unknownEscapes } from '../../escapes.ts'
import type { HostIdentity } from '../../hostIdentity.ts'
import { producerOptions } from './producerOptions.ts'

export const kafkaSinkOptions = {
  'kafka.bootstrap.servers': {
    type: 'string',
    doc: 'Addresses of some brokers, host:port, separated by commas. Required.',
  },
  'kafka.topic': {
    type: 'string',
    default: 'default-flume-topic',
    doc: "Topic of the records. %{name} is replaced by a header of the event; %Y, %m, %d, %H and Flume's other escapes by parts of its time (the header timestamp or, without it, the time of the take).",
  },
  flumeBatchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'Maximum number of events in one take. A take does not wait until it is full, and up to five are in flight.',
  },
  useFlumeEventFormat: {
    type: 'boolean',
    default: false,
    doc: "Whether the value of a record is the whole event in Avro (headers and body: Flume's AvroFlumeEvent) instead of its body.",
  },
  defaultPartitionId: {
    type: 'integer',
    doc: 'Partition of events without the header that partitionIdHeader names.',
  },
  partitionIdHeader: { type: 'string', doc: 'Name of the event header that holds the partition.' },
  allowTopicOverride: {
    type: 'boolean',
    default: true,
    doc: 'Whether the header that topicHeader names overrides kafka.topic.',
  },
  topicHeader: {
    type: 'string',
    default: 'topic',
    doc: 'Name of the event header that holds the topic.',
  },
  timestampHeader: {
    type: 'string',
    doc: 'Name of the event header that holds the timestamp of the record. Default: the time of the take.',
  },
  header: {
    type: 'prefix',
    doc: 'header.<event header>: name of the record header to which the event header is copied.',
  },
  ...producerOptions,
  brokerList: {
    type: 'string',
    doc: 'Deprecated name of kafka.bootstrap.servers, which takes precedence.',
  },
  topic: { type: 'string', doc: 'Deprecated name of kafka.topic, which takes precedence.' },
  batchSize: {
    type: 'integer',
    min: 1,
    doc: 'Deprecated name of flumeBatchSize, which takes precedence.',
  },
  requiredAcks: {
    type: 'ignored',
    harmless: ['-1', 'all'],
    doc: 'acks is always all, so that an acknowledged event survives the loss of the leader',
  },
  'kafka.flumeBatchSize': { type: 'ignored', doc: 'Flume has no such option; use flumeBatchSize' },
} as const satisfies OptionTable

export interface KafkaSinkSettings {
  readonly bootstrap: readonly Address[]
  readonly topic: string
  readonly topicHasEscapes: boolean
  readonly batchSize: number
  /** The key that `batchSize` comes from. */
  readonly batchSizeKey: string
  readonly isAvro: boolean
  readonly maxRequestBytes: number
  /** Maximum bytes of a take; a larger event is taken alone. */
  readonly maxTakeBytes: number
  readonly lingerMs: number
  readonly maxTakesInFlight: number
  readonly compression: Compression
  /** Undefined: derived from the sink's name. */
  readonly clientId: string | undefined
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly defaultPartition: number | undefined
  readonly partitionHeader: string | undefined
  /** Undefined when events may not name their topic. */
  readonly topicHeader: string | undefined
  readonly timestampHeader: string | undefined
  /** Record header names to event header names. */
  readonly recordHeaders: ReadonlyMap<string, string>
  readonly host: HostIdentity
}

/** A broker remembers the last five batches of a producer and would not recognize an older one. */
const mostTakesInFlight = 5

export function readKafkaSinkSettings(
  component: ComponentConfiguration,
  host: HostIdentity,
): KafkaSinkSettings {
  const options = readOptions(kafkaSinkOptions, component)
  const isOldBatchSize =
    options.batchSize !== undefined && !component.properties.has('flumeBatchSize')
  const topic = topicOf(component, options.topic, options['kafka.topic'])
  const inFlight = options['kafka.producer.max.in.flight.requests.per.connection']
  return {
    bootstrap: bootstrapOf(component),
    topic,
    topicHasEscapes: hasEscapes(topic),
    batchSize: isOldBatchSize ? options.batchSize! : options.flumeBatchSize,
    batchSizeKey: isOldBatchSize ? 'batchSize' : 'flumeBatchSize',
    isAvro: options.useFlumeEventFormat,
    maxRequestBytes: options['kafka.producer.max.request.size'],
    maxTakeBytes: options['kafka.producer.batch.size'] ?? Number.POSITIVE_INFINITY,
    lingerMs: options['kafka.producer.linger.ms'],
    maxTakesInFlight: Math.min(inFlight, mostTakesInFlight),
    compression: compressionOf(component, options['kafka.producer.compression.type']),
    clientId: options['kafka.producer.client.id'],
    requestTimeoutMs: options['kafka.producer.request.timeout.ms'],
    retryBackoffMs: options['kafka.producer.retry.backoff.ms'],
    retryBackoffMaxMs: options['kafka.producer.retry.backoff.max.ms'],
    defaultPartition: options.defaultPartitionId,
    partitionHeader: options.partitionIdHeader,
    topicHeader: options.allowTopicOverride ? options.topicHeader : undefined,
    timestampHeader: options.timestampHeader,
    recordHeaders: new Map([...options.header].map(([event, record]) => [record, event])),
    host,
  }
}

/** Returns the topic; fails for a name that every broker would refuse. */
function topicOf(
  component: ComponentConfiguration,
  old: string | undefined,
  current: string,
): string {
  const isOld = old !== undefined && !component.properties.has('kafka.topic')
  const topic = isOld ? old : current
  const key = isOld ? 'topic' : 'kafka.topic'
  const [unknown] = unknownEscapes(topic)
  if (unknown !== undefined) {
    throw optionError(component, key, `'${unknown}' in '${topic}' is not an escape sequence`)
  }
  if (!hasEscapes(topic) && !isTopicName(topic)) {
    throw optionError(
      component,
      key,
      `${quoted(topic)} is not a valid topic name: use 1 to 249 letters, digits, '.', '_' and '-'`,
    )
  }
  return topic
}

/** Whether a text is a valid topic name. */
function isTopicName(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
}

/** Parses `host:port,host:port`; an IPv6 host stands in brackets. */
function bootstrapOf(component: ComponentConfiguration): Address[] {
  const key = component.properties.has('kafka.bootstrap.servers')
    ? 'kafka.bootstrap.servers'
    : 'brokerList'
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    throw optionError(
      component,
      'kafka.bootstrap.servers',
      'required, but not set: addresses of some brokers, host:port, separated by commas',
    )
  }
  return text.split(',').map((part) => {
    const match = /^\s*(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})\s*$/.exec(part)
    const port = Number(match?.[3])
    if (match === null || port < 1 || port > 65_535) {
      throw optionError(component, key, `'${part.trim()}' is not host:port`)
    }
    return { host: (match[1] ?? match[2])!, port }
  })
}

function compressionOf(component: ComponentConfiguration, name: string): Compression {
  if (Object.hasOwn(Compression, name)) return Compression[name as keyof typeof Compression]
  const known = Object.keys(Compression).join(', ')
  throw optionError(
    component,
    'kafka.producer.compression.type',
    `'${name}' is not a compression type: use one of ${known}`,
  )
}
