// The records of a broker in a test: put there by the test, or stored by the client that is tested and read back.

import type { Isolation } from '../../protocol/client/isolation.ts'
import { type FetchedPartition, PartitionReader } from '../../protocol/client/partitionReader.ts'
import type { ProducerRecord } from '../../protocol/client/producer.ts'
import { splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { type Record as KafkaRecord, records } from '../../protocol/kafka/recordCursor.ts'
import type { BrokerLife } from './brokerLife.ts'
import { invalidArgument } from './testBrokerError.ts'

/** A text, bytes, or null; anything else becomes JSON. */
export type TestData = string | Uint8Array | null | object | number | boolean

/** A record for `produce`. */
export interface RecordToProduce {
  readonly key?: string | Uint8Array | null
  readonly value: TestData
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>
  /** Unless given, the key decides as in Kafka; without a key, any. */
  readonly partition?: number
  /** In ms since the epoch; now unless given. */
  readonly timestampMs?: number
}

/** A record as it is stored. */
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
  /** As UTF-8 text; of several headers of one name, the last. */
  readonly headers: Readonly<Record<string, string | null>>
  readonly keyBytes: Buffer | null
  readonly valueBytes: Buffer | null
  readonly allHeaders: readonly { readonly name: string; readonly value: Buffer | null }[]
}

/** Which records to read. */
export interface RecordsOptions {
  /** Only of this partition. */
  readonly partition?: number
  /**
   * `committed`: without records of transactions that are open or were aborted, as most JavaScript clients read.
   * `uncommitted`: all. Committed unless given.
   */
  readonly isolation?: Isolation
}

/** Of one compressed batch; far above what a broker takes. */
const maxDecompressedBytes = 1024 ** 3

/** Reads a topic from where it was left; the first time from its beginning. */
export class TopicReader {
  readonly #topic: string
  readonly #options: RecordsOptions
  readonly #positions = new Map<number, number>()

  constructor(topic: string, options: RecordsOptions) {
    this.#topic = topic
    this.#options = options
  }

  /** What has been stored since; undefined when the topic does not exist. Partition by partition. */
  async read(life: BrokerLife): Promise<StoredRecord[] | undefined> {
    const found = life.broker.topics().find(({ name }) => name === this.#topic)
    if (found === undefined) return undefined
    const all = found.partitions.map(({ partition }) => partition)
    const { partition } = this.#options
    if (partition !== undefined && !all.includes(partition)) {
      throw invalidArgument(
        `${this.#topic} has the partitions ${all.join(', ')}, and no ${partition}`,
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

/** Throws a TestBrokerError for what is no record. */
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

/** An object with a value is a record, unless it has what no record has: then it is JSON itself. */
function isRecord(record: RecordToProduce | TestData): record is RecordToProduce {
  if (typeof record !== 'object' || record === null || !('value' in record)) return false
  return Object.keys(record).every((name) => recordFields.includes(name))
}

function bytesOf(value: TestData | undefined): Uint8Array | null {
  if (value === null) return null
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return value
  const json = JSON.stringify(value)
  if (json === undefined) throw invalidArgument(`a record has the value ${String(value)}`)
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
