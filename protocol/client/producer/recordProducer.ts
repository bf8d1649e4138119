// The producer of `millrace/client`: Producer with strings as well as bytes, and with codec names.

import { Compression } from '../../bytes/compression.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Producer as BytesProducer } from './producer.ts'
import type { StoredRecord } from './producerBatch.ts'

export type { StoredRecord } from './producerBatch.ts'

/** Compression codec of record batches. */
export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Options of a producer: batching and delivery. */
export interface ProducerOptions {
  /** How long a batch waits for more records before it is sent, in ms. 5 unless given. */
  readonly lingerMs?: number
  /** Approximate size of a full batch before compression, in bytes. 131,072 unless given. */
  readonly batchBytes?: number
  /** Compression codec of batches. `none` unless given. */
  readonly compression?: CompressionName
  /**
   * `all`: a record is acknowledged when all in-sync replicas have it, and stored exactly once.
   * `leader`: it is acknowledged when the leader has it, and a retry may store it twice. `all`
   * unless given.
   */
  readonly acks?: 'all' | 'leader'
  /** Limit on the delivery of a record, retries included, in ms. 120,000 unless given. */
  readonly deliveryTimeoutMs?: number
  /**
   * Memory for unacknowledged records, in bytes; `send` waits while it is full. 32 MiB unless
   * given.
   */
  readonly maxBufferedBytes?: number
}

/** A record to produce. Strings are encoded as UTF-8. */
export interface RecordToSend {
  /** Records with equal keys go to the same partition. */
  readonly key?: string | Uint8Array | null
  /** Null for a tombstone, which deletes the key in a compacted topic. */
  readonly value: string | Uint8Array | null
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>
  /** In ms since the epoch; now, unless given. */
  readonly timestampMs?: number
  /** Chosen by the key, or at random, unless given. */
  readonly partition?: number
}

/** Produces records. Records of a partition are stored in the order of the calls. */
export interface Producer extends AsyncDisposable {
  /**
   * Resolves when the record is stored. Waits while `maxBufferedBytes` are in use. The bytes of the
   * record must not change until the promise settles. Fails with a KafkaError, a NetworkError or a
   * ClientError (DELIVERY_TIMEOUT, RECORD_TOO_LARGE, TOO_MANY_REQUESTS, CLIENT_CLOSED).
   */
  send(topic: string, record: RecordToSend): Promise<StoredRecord>
  /** Resolves when all records of earlier `send` calls are stored or have failed. */
  flush(): Promise<void>
  /** Refuses new records and flushes pending ones. */
  close(): Promise<void>
}

export class RecordProducer implements Producer {
  readonly #producer: BytesProducer
  readonly #onClosed: (producer: RecordProducer) => void

  constructor(
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    { compression = 'none', acks = 'all', ...options }: ProducerOptions,
    onClosed: (producer: RecordProducer) => void,
  ) {
    this.#producer = new BytesProducer(cluster, runtime, {
      ...options,
      compression: Compression[compression],
      acks: acks === 'all' ? -1 : 1,
    })
    this.#onClosed = onClosed
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
    this.#onClosed(this)
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
