// The records of a test broker: produced by the test, or stored by the tested client and read back.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import {
  type FetchedPartition,
  PartitionReader,
} from '../../protocol/client/consumer/partitionReader.ts'
import type { ProducerRecord } from '../../protocol/client/producer/producer.ts'
import { splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { type Record as KafkaRecord, records } from '../../protocol/kafka/records/recordCursor.ts'
import type { BrokerLife } from './brokerLife.ts'
import { invalidArgument } from './testBrokerError.ts'

/** A string, bytes, or null; any other value is stored as JSON. */
export type TestData = string | Uint8Array | null | object | number | boolean

/** A record for `produce`. */
export interface RecordToProduce {
  readonly key?: string | Uint8Array | null
  readonly value: TestData
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>
  /** Default: chosen by the key as in Kafka; without a key, any. */
  readonly partition?: number
  /** In ms since the epoch. Default: now. */
  readonly timestampMs?: number
}

/** A stored record. */
export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** In ms since the epoch. */
  readonly timestampMs: number
  /** As UTF-8 text. */
  readonly key: string | null
  /** As UTF-8 text. */
  readonly value: string | null
  /** As UTF-8 text; the last one of several headers with the same name. */
  readonly headers: Readonly<Record<string, string | null>>
  readonly keyBytes: Buffer | null
  readonly valueBytes: Buffer | null
  readonly allHeaders: readonly { readonly name: string; readonly value: Buffer | null }[]
}

/** Selects the records to read. */
export interface RecordsOptions {
  /** Only records of this partition. */
  readonly partition?: number
  /**
   * `committed` (default): without records of open and aborted transactions, as most JavaScript
   * clients read. `uncommitted`: all records.
   */
  readonly isolation?: Isolation
}

/** Bound of one decompressed batch; far above what a broker accepts. */
const maxDecompressedBytes = 1024 ** 3

/** Reads a topic from its start, then from where the last read ended. */
export class TopicReader {
  readonly #topic: string
  readonly #options: RecordsOptions
  readonly #positions = new Map<number, number>()

  constructor(topic: string, options: RecordsOptions) {
    this.#topic = topic
    this.#options = options
  }

  /** Returns the new records, partition by partition; undefined if the topic does not exist. */
  async read(life: BrokerLife): Promise<StoredRecord[] | undefined> {
    const found = life.broker.topics().find(({ name }) => name === this.#topic)
    if (found === undefined) return undefined
    const all = found.partitions.map(({ partition }) => partition)
    const { partition } = this.#options
    if (partition !== undefined && !all.includes(partition)) {
      throw invalidArgument(
        `topic ${this.#topic} has no partition ${partition}; its partitions are ${all.join(', ')}`,
      )
    }
    const wanted = partition === undefined ? all : [partition]
    const read: StoredRecord[] = []
    for (const each of wanted) read.push(...(await this.#readPartition(life, each)))
    return read
  }

  async #readPartition({ cluster }: BrokerLife, partition: number): Promise<StoredRecord[]> {
    const { isolation = 'committed' } = this.#options
    const topic = this.#topic
    const reader = new PartitionReader(cluster, { topic, partition, isolation, maxWaitMs: 0 })
    try {
      const read: StoredRecord[] = []
      const end = await reader.latest()
      let position = Math.max(this.#positions.get(partition) ?? 0, await reader.earliest())
      while (position < end) {
        const fetched = await reader.fetch(position)
        read.push(...storedRecords(fetched, topic, partition, position))
        position = fetched.nextOffset
      }
      this.#positions.set(partition, position)
      return read
    } finally {
      reader.close()
    }
  }
}

/** Throws a TestBrokerError for an invalid record. */
export function producerRecord(record: RecordToProduce | TestData): ProducerRecord {
  const { key, value, headers, partition, timestampMs } = isRecord(record)
    ? record
    : { value: record }
  return {
    key: typeof key === 'string' ? Buffer.from(key) : (key ?? null),
    value: bytesOf(value),
    headers: Object.entries(headers ?? {}).map(([name, header]) => ({
      key: name,
      value: header === null ? null : Buffer.from(header as string),
    })),
    ...(partition === undefined ? {} : { partition }),
    ...(timestampMs === undefined ? {} : { timestampMs }),
  }
}

const recordFields = ['key', 'value', 'headers', 'partition', 'timestampMs']

/**
 * An object with a value is a record, unless it has a property that records do not have: then it is
 * JSON.
 */
function isRecord(record: RecordToProduce | TestData): record is RecordToProduce {
  if (typeof record !== 'object' || record === null || !('value' in record)) return false
  return Object.keys(record).every((name) => recordFields.includes(name))
}

function bytesOf(value: TestData | undefined): Uint8Array | null {
  if (value === null) return null
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return value
  const json = JSON.stringify(value)
  if (json === undefined) throw invalidArgument(`a record has an invalid value: ${String(value)}`)
  return Buffer.from(json)
}

function* storedRecords(
  { batches }: FetchedPartition,
  topic: string,
  partition: number,
  from: number,
): Generator<StoredRecord> {
  for (const batch of splitBatches(batches)) {
    for (const record of records(batch, maxDecompressedBytes)) {
      if (record.offset >= from) yield storedRecord(record, topic, partition)
    }
  }
}

function storedRecord(
  { offset, timestamp, key, value, headers }: KafkaRecord,
  topic: string,
  partition: number,
): StoredRecord {
  return {
    topic,
    partition,
    offset,
    timestampMs: timestamp,
    key: textOf(key),
    value: textOf(value),
    headers: Object.fromEntries(headers.map((header) => [header.key, textOf(header.value)])),
    keyBytes: copyOf(key),
    valueBytes: copyOf(value),
    allHeaders: headers.map((header) => ({ name: header.key, value: copyOf(header.value) })),
  }
}

function textOf(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('utf8')
}

function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}
