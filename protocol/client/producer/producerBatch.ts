// A batch that a producer fills for one partition, with the callbacks of its records.

import type { Compression } from '../../bytes/compression.ts'
import { RecordBatchBuilder } from '../../kafka/records/recordBatchBuilder.ts'
import type { RecordHeader } from '../../kafka/records/recordCursor.ts'
import type { Timer } from '../../runtime/time/clock.ts'

export interface ProducerRecord {
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** In ms since the epoch; now, unless given. */
  readonly timestampMs?: number
  /** Chosen by the key, or at random, unless given. */
  readonly partition?: number
}

/** The position of a stored record. */
export interface StoredRecord {
  readonly partition: number
  /** -1 for a record stored by an earlier attempt whose offset the broker no longer knows. */
  readonly offset: number
}

export interface RecordCallbacks {
  resolve(stored: StoredRecord): void
  reject(error: Error): void
}

/** Memory of a record without key, value and headers, callbacks included, in bytes. */
const recordOverheadBytes = 96

/** Returns the approximate memory of a record until it is stored, in bytes. */
export function recordBytes({ key, value, headers }: ProducerRecord): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers ?? []) bytes += 2 * header.key.length + (header.value?.length ?? 0)
  return bytes
}

export class ProducerBatch {
  readonly topic: string
  readonly partition: number
  /** Resolved when the callbacks of all records have been called. */
  readonly done = Promise.withResolvers<void>()
  linger: Timer | undefined
  /** Sum of `recordBytes` of the records. */
  memoryBytes = 0
  readonly #builder: RecordBatchBuilder
  readonly #callbacks: RecordCallbacks[] = []
  #encoded: Buffer | undefined

  constructor(topic: string, partition: number, compression: Compression) {
    this.topic = topic
    this.partition = partition
    this.#builder = new RecordBatchBuilder({ compression })
  }

  get recordCount(): number {
    return this.#callbacks.length
  }

  get sizeInBytes(): number {
    return this.#builder.sizeInBytes
  }

  add(record: ProducerRecord, nowMs: number, callbacks: RecordCallbacks): void {
    const { key = null, value, headers, timestampMs = nowMs } = record
    this.#builder.append(timestampMs, key, value, headers)
    this.#callbacks.push(callbacks)
    this.memoryBytes += recordBytes(record)
  }

  /**
   * Encodes the batch once and returns the same buffer every time. No record can be added
   * afterwards.
   */
  encoded(): Buffer {
    this.#encoded ??= this.#builder.build()
    return this.#encoded
  }

  stored(baseOffset: number): void {
    const { partition } = this
    for (const [index, callbacks] of this.#callbacks.entries()) {
      callbacks.resolve({ partition, offset: baseOffset < 0 ? -1 : baseOffset + index })
    }
    this.done.resolve()
  }

  failed(error: Error): void {
    for (const callbacks of this.#callbacks) callbacks.reject(error)
    this.done.resolve()
  }
}
