// The options of the Kafka sink, with Flume's names, old ones included; what they come to.

import { Compression } from '../../../protocol/bytes/compression.ts'
import type { Address } from '../../../protocol/runtime/network.ts'
import type { ComponentConfiguration } from '../../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, readOptions } from '../../configuration/options.ts'

export const kafkaSinkOptions = {
  'kafka.bootstrap.servers': {
    type: 'string',
    doc: 'host:port of some brokers, separated by commas; required',
  },
  'kafka.topic': {
    type: 'string',
    default: 'default-flume-topic',
    doc: 'the topic; %{name} stands for a header of the event',
  },
  flumeBatchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'events taken at a time, at most; a take never waits to be full, and up to five are under way',
  },
  useFlumeEventFormat: {
    type: 'boolean',
    default: false,
    doc: 'only false is supported: the body is the value',
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
  header: { type: 'prefix', doc: 'header.<record header>: the event header to send as it' },
  'kafka.producer': {
    type: 'prefix',
    doc: "compression.type and max.request.size are used; the latter bounds a batch (1048576 bytes unless given; an event that is larger goes alone) and must not be over the broker's message.max.bytes; acks is always all and linger never needed",
  },
  brokerList: { type: 'string', doc: 'old name of kafka.bootstrap.servers' },
  topic: { type: 'string', doc: 'old name of kafka.topic' },
  batchSize: { type: 'integer', min: 1, doc: 'old name of flumeBatchSize' },
  requiredAcks: { type: 'string', doc: 'old name of kafka.producer.acks' },
  'kafka.flumeBatchSize': {
    type: 'integer',
    min: 1,
    doc: "what Flume's manual calls flumeBatchSize",
  },
} as const satisfies OptionTable

export interface KafkaSinkSettings {
  readonly bootstrap: readonly Address[]
  readonly topic: string
  readonly batchSize: number
  readonly maxRequestBytes: number
  readonly compression: Compression
  readonly defaultPartition: number | undefined
  readonly partitionHeader: string | undefined
  /** Undefined when events may not name their topic. */
  readonly topicHeader: string | undefined
  readonly timestampHeader: string | undefined
  /** Record header names to event header names. */
  readonly recordHeaders: ReadonlyMap<string, string>
}

/** Kafka's default of max.request.size, and of what a broker accepts as one batch. */
const defaultRequestBytes = 1024 * 1024
const smallestRequestBytes = 1024

export function readKafkaSinkSettings(component: ComponentConfiguration): KafkaSinkSettings {
  const options = readOptions(kafkaSinkOptions, component)
  if (options.useFlumeEventFormat) {
    throw optionError(
      component,
      'useFlumeEventFormat',
      'only false is supported: values are the bodies of events',
    )
  }
  const producer = options['kafka.producer']
  return {
    bootstrap: bootstrapOf(component),
    topic: component.properties.has('kafka.topic')
      ? options['kafka.topic']
      : (options.topic ?? options['kafka.topic']),
    batchSize: options.batchSize ?? options['kafka.flumeBatchSize'] ?? options.flumeBatchSize,
    maxRequestBytes: requestBytes(component, producer.get('max.request.size')),
    compression: compressionOf(component, producer.get('compression.type') ?? 'none'),
    defaultPartition: options.defaultPartitionId,
    partitionHeader: options.partitionIdHeader,
    topicHeader: options.allowTopicOverride ? options.topicHeader : undefined,
    timestampHeader: options.timestampHeader,
    recordHeaders: options.header,
  }
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

function requestBytes(component: ComponentConfiguration, text: string | undefined): number {
  if (text === undefined) return defaultRequestBytes
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= smallestRequestBytes && value <= 1024 * 1024 * 1024) return value
  throw optionError(
    component,
    'kafka.producer.max.request.size',
    `'${text}' is not a number of bytes from ${smallestRequestBytes}`,
  )
}

function compressionOf(component: ComponentConfiguration, name: string): Compression {
  if (name in Compression) return Compression[name as keyof typeof Compression]
  const known = Object.keys(Compression).join(', ')
  throw optionError(component, 'kafka.producer.compression.type', `'${name}' is none of ${known}`)
}
