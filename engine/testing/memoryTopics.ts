// The topics of a test: records by partition, in memory, with the fields that a producer sets. They
// outlive the driver, as a broker does.

import { partitionForKey } from '../../protocol/client/producer/partitioner.ts'
import { EngineError } from '../engineError.ts'

/** A record as given by a test. */
export interface TestRecord {
  readonly key?: string | Uint8Array | null | undefined
  /** Strings and bytes are used as they are; anything else except null becomes JSON. */
  readonly value: unknown
  /** Milliseconds since the epoch; the time of the test's clock by default. */
  readonly timestampMs?: number | undefined
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>> | undefined
  /** By default: by key, as in Kafka's default partitioner, and round robin without a key. */
  readonly partition?: number | undefined
}

/** A string stands for a record with this value. */
export type TestRow = string | Uint8Array | TestRecord

export interface StoredRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestampMs: number
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
}

/** A record with its partition. */
export interface PlacedRecord {
  readonly topic: string
  readonly partition: number
  readonly record: StoredRecord
  /** The record as text, for messages. */
  readonly text: string
}

/** `partitions` of every topic, or by topic. */
export type PartitionCounts = number | Readonly<Record<string, number>>

const defaultPartitions = 2

export function partitionsOf(counts: PartitionCounts | undefined, topic: string): number {
  const given = typeof counts === 'object' ? counts[topic] : counts
  return given ?? defaultPartitions
}

export class MemoryTopics {
  readonly #partitions = new Map<string, readonly StoredRecord[][]>()

  constructor(topics: readonly string[], counts?: PartitionCounts) {
    for (const topic of topics) this.create(topic, partitionsOf(counts, topic))
  }

  get names(): string[] {
    return [...this.#partitions.keys()]
  }

  /** Has no effect when the topic exists. */
  create(topic: string, partitions: number): void {
    if (this.#partitions.has(topic)) return
    this.#partitions.set(
      topic,
      Array.from({ length: partitions }, () => []),
    )
  }

  partitionCount(topic: string): number {
    return this.#of(topic).length
  }

  append({ topic, partition, record }: Pick<PlacedRecord, 'topic' | 'partition' | 'record'>): void {
    this.#log(topic, partition).push(record)
  }

  /** The offset after the newest record. */
  end(topic: string, partition: number): number {
    return this.#log(topic, partition).length
  }

  records(topic: string, partition: number, from = 0, until = Infinity): readonly StoredRecord[] {
    return this.#log(topic, partition).slice(from, until)
  }

  #of(topic: string): readonly StoredRecord[][] {
    const partitions = this.#partitions.get(topic)
    if (partitions) return partitions
    throw new EngineError(
      'TEST_INVALID',
      `the job does not read topic '${topic}'; it reads ${quoted(this.names)}`,
    )
  }

  #log(topic: string, partition: number): StoredRecord[] {
    const partitions = this.#of(topic)
    const log = partitions[partition]
    if (log) return log
    throw new EngineError(
      'TEST_INVALID',
      `topic '${topic}' has no partition ${partition}; it has ${partitions.length} (set { partitions } of the test)`,
    )
  }
}

/** Assigns records to partitions, in order. */
export class RecordPlacement {
  readonly #counts: (topic: string) => number
  /** Number of records without a key so far, by topic. */
  readonly #unkeyed = new Map<string, number>()

  constructor(counts: (topic: string) => number) {
    this.#counts = counts
  }

  place(topic: string, row: TestRow, nowMs: number): PlacedRecord {
    const given = recordOf(topic, row)
    const key = given.key === undefined ? null : encoded(given.key)
    const record: StoredRecord = {
      key,
      value: encoded(given.value),
      timestampMs: given.timestampMs ?? nowMs,
      headers: Object.entries(given.headers ?? {}).map(([name, value]) => {
        return { key: name, value: encoded(value) }
      }),
    }
    const partition = given.partition ?? this.#partitionOf(topic, key)
    return { topic, partition, record, text: describe(given) }
  }

  #partitionOf(topic: string, key: Buffer | null): number {
    const count = this.#counts(topic)
    if (key !== null) return partitionForKey(key, count)
    const before = this.#unkeyed.get(topic) ?? 0
    this.#unkeyed.set(topic, before + 1)
    return before % count
  }
}

function recordOf(topic: string, row: TestRow): TestRecord {
  if (typeof row === 'string' || row instanceof Uint8Array) return { value: row }
  if (row !== null && typeof row === 'object' && Object.hasOwn(row, 'value')) return row
  throw new EngineError(
    'TEST_INVALID',
    `topic '${topic}' must be fed with strings, bytes or records; use { value: ... }, whose ` +
      'value may be an object (it becomes JSON)',
  )
}

function encoded(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  return Buffer.from(JSON.stringify(value))
}

function describe({ key, value, timestampMs }: TestRecord): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value)
  const keyed = typeof key === 'string' ? `${key}: ${shown}` : String(shown)
  return timestampMs === undefined ? keyed : `${keyed} @${timestampMs}`
}

export function quoted(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `'${name}'`).join(', ')
}
