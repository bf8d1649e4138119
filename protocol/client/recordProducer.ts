// The producer of `millrace/client`: Producer with text in place of bytes where a user has text, and the
// names of codecs.

import { Compression } from '../bytes/compression.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Cluster } from './cluster.ts'
import { Producer as BytesProducer } from './producer.ts'
import type { StoredRecord } from './producerBatch.ts'

export type { StoredRecord } from './producerBatch.ts'

/** A codec that brokers and consumers know. */
export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** How records are gathered into batches, and how these are delivered. */
export interface ProducerOptions {
  /** Wait of a batch that is not full for more records, in ms. 5 unless given. */
  readonly lingerMs?: number
  /** Size of a full batch before compression, about, in bytes. 131,072 unless given. */
  readonly batchBytes?: number
  /** Codec of batches; `none` unless given. */
  readonly compression?: CompressionName
  /**
   * `all`, unless given: a record is acknowledged when all in-sync replicas have it, and is stored once.
   * `leader`: when the leader has it; it may be stored twice.
   */
  readonly acks?: 'all' | 'leader'
  /** Limit of the delivery of a record with all its retries, in ms. 120,000 unless given. */
  readonly deliveryTimeoutMs?: number
  /** Memory for records that are not yet acknowledged, in bytes; `send` waits for it. 32 MiB unless given. */
  readonly maxBufferedBytes?: number
}

/** A record to be produced. Text is sent as UTF-8. */
export interface RecordToSend {
  /** Records with equal keys go to the same partition. */
  readonly key?: string | Uint8Array | null
  /** Null deletes the key in a compacted topic. */
  readonly value: string | Uint8Array | null
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>
  /** In ms since the epoch; now, unless given. */
  readonly timestampMs?: number
  /** Chosen by the key, or at random, unless given. */
  readonly partition?: number
}

/** Sends records. Those of a partition are stored once and in the order of the calls. */
export interface Producer extends AsyncDisposable {
  /**
   * Settles when the record is stored. Waits, in line, while the memory for records is full. Fails with a
   * KafkaError, or a ClientError (DELIVERY_TIMEOUT, RECORD_TOO_LARGE, CLIENT_CLOSED).
   */
  send(topic: string, record: RecordToSend): Promise<StoredRecord>
  /** Settles when every record given to `send` before is stored or has failed. */
  flush(): Promise<void>
  /** Refuses new records, and flushes. */
  close(): Promise<void>
}

export class RecordProducer implements Producer {
  readonly #producer: BytesProducer
  readonly #closed: (producer: RecordProducer) => void

  constructor(
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    { compression = 'none', acks = 'all', ...options }: ProducerOptions,
    closed: (producer: RecordProducer) => void,
  ) {
    this.#producer = new BytesProducer(cluster, runtime, {
      ...options,
      compression: Compression[compression],
      acks: acks === 'all' ? -1 : 1,
    })
    this.#closed = closed
  }

  send(topic: string, record: RecordToSend): Promise<StoredRecord> {
    const { key = null, value, headers = {}, ...rest } = record
    return this.#producer.send(topic, {
      ...rest,
      key: bytesOf(key),
      value: bytesOf(value),
      headers: Object.entries(headers).map(([name, content]) => ({
        key: name,
        value: bytesOf(content),
      })),
    })
  }

  flush(): Promise<void> {
    return this.#producer.flush()
  }

  async close(): Promise<void> {
    await this.#producer.close()
    this.#closed(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function bytesOf(content: string | Uint8Array | null): Buffer | null {
  if (content === null) return null
  if (typeof content === 'string') return Buffer.from(content)
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}
