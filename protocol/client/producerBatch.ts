// The batch that a producer fills for one partition, and whom to tell where each record went.

import type { Compression } from '../bytes/compression.ts'
import { RecordBatchBuilder } from '../kafka/recordBatchBuilder.ts'
import type { RecordHeader } from '../kafka/recordCursor.ts'
import type { Timer } from '../runtime/clock.ts'

export interface ProducerRecord {
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** Milliseconds since the epoch; now, unless said. */
  readonly timestampMs?: number
  /** Chosen by the key, or by chance, unless said. */
  readonly partition?: number
}

/** Where a record was stored. */
export interface StoredRecord {
  readonly partition: number
  /** -1 when the broker had the record from an earlier try and forgot where. */
  readonly offset: number
}

export interface RecordCallbacks {
  resolve(stored: StoredRecord): void
  reject(error: Error): void
}

/** What a record without key, value and headers takes in memory, its callbacks included. */
const recordOverheadBytes = 96

/** Memory that a record takes until it is stored, about. */
export function recordBytes({ key, value, headers }: ProducerRecord): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers ?? []) bytes += 2 * header.key.length + (header.value?.length ?? 0)
  return bytes
}

export class ProducerBatch {
  readonly topic: string
  readonly partition: number
  /** Settled when every record's callback has been called. */
  readonly done = Promise.withResolvers<void>()
  linger: Timer | undefined
  /** As counted by `recordBytes`. */
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

  /** The encoded batch; the same memory every time. Nothing can be added afterwards. */
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
