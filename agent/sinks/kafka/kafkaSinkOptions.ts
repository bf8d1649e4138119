// The options of the Kafka sink under Flume's names, old ones included, and the settings they yield.

import { Compression } from '../../../protocol/bytes/compression.ts'
import type { Address } from '../../../protocol/runtime/network.ts'
import type { ComponentConfiguration } from '../../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, quoted, readOptions } from '../../configuration/options.ts'
import { hasEscapes, unknownEscapes } from '../../escapes.ts'
import type { HostIdentity } from '../../hostIdentity.ts'
import { producerOptions } from './producerOptions.ts'

export const kafkaSinkOptions = {
  'kafka.bootstrap.servers': {
    type: 'string',
    doc: 'host:port of some brokers, separated by commas; required',
  },
  'kafka.topic': {
    type: 'string',
    default: 'default-flume-topic',
    doc: "the topic; %{name} stands for a header of the event, %Y, %m, %d, %H and their like for parts of the event's time: its header timestamp, or else the time of the take",
  },
  flumeBatchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'events taken at a time, at most; a take does not wait to be full, and up to five are under way',
  },
  useFlumeEventFormat: {
    type: 'boolean',
    default: false,
    doc: "a record's value is the event in Avro (headers and body, as Flume's AvroFlumeEvent) in place of its body",
  },
  defaultPartitionId: { type: 'integer', doc: 'the partition of events without partitionIdHeader' },
  partitionIdHeader: { type: 'string', doc: "the header with an event's partition" },
  allowTopicOverride: {
    type: 'boolean',
    default: true,
    doc: 'let an event name its topic in topicHeader',
  },
  topicHeader: { type: 'string', default: 'topic', doc: 'the header that names a topic' },
  timestampHeader: {
    type: 'string',
    doc: "the header with a record's time; else the time of the take",
  },
  header: {
    type: 'prefix',
    doc: 'header.<event header>: the name of the record header in which that event header is sent',
  },
  ...producerOptions,
  brokerList: { type: 'string', doc: 'old name of kafka.bootstrap.servers, which wins' },
  topic: { type: 'string', doc: 'old name of kafka.topic, which wins' },
  batchSize: { type: 'integer', min: 1, doc: 'old name of flumeBatchSize, which wins' },
  requiredAcks: {
    type: 'ignored',
    harmless: ['-1', 'all'],
    doc: 'acks is always all, so that no acknowledged event is lost with its leader',
  },
  'kafka.flumeBatchSize': { type: 'ignored', doc: 'Flume has no such option: use flumeBatchSize' },
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
  /** Of a take, at most, unless one event is larger. */
  readonly maxTakeBytes: number
  readonly lingerMs: number
  readonly maxTakesInFlight: number
  readonly compression: Compression
  /** Undefined: the sink's own. */
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

/** Brokers remember the last five batches of a producer: they would not recognize older ones. */
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

/** Fails for a topic name that every broker refuses. */
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
    throw optionError(component, key, `'${unknown}' in '${topic}' is no escape sequence`)
  }
  if (!hasEscapes(topic) && !isTopicName(topic)) {
    throw optionError(
      component,
      key,
      `${quoted(topic)} is not the name of a topic: at most 249 letters, digits, '.', '_' and '-'`,
    )
  }
  return topic
}

/** Whether it is a valid topic name. */
function isTopicName(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
}

/** `host:port,host:port`, an IPv6 host in brackets. */
function bootstrapOf(component: ComponentConfiguration): Address[] {
  const key = component.properties.has('kafka.bootstrap.servers')
    ? 'kafka.bootstrap.servers'
    : 'brokerList'
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    throw optionError(
      component,
      'kafka.bootstrap.servers',
      'missing, but required: host:port of some brokers',
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
  throw optionError(component, 'kafka.producer.compression.type', `'${name}' is none of ${known}`)
}
