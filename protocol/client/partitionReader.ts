// Reads one partition, from any offset, in whole batches as they lie in the log. It keeps no
// position and looks into nothing: the caller says where to read, and decodes what it needs.

import { fetch } from '../kafka/apis/fetch.ts'
import { listOffsets } from '../kafka/apis/listOffsets.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import { batchLengthPrefixBytes, RecordBatchField } from '../kafka/recordBatch.ts'
import { ClientError } from './clientError.ts'
import type { Cluster } from './cluster.ts'
import { saysStale } from './clusterView.ts'

export interface PartitionReaderOptions {
  readonly topic: string
  readonly partition: number
  /** Of one answer. A first batch that is larger comes all the same, alone. */
  readonly maxBytes?: number
  /** The broker waits until there is this much, but no longer than maxWaitMs. */
  readonly minBytes?: number
  readonly maxWaitMs?: number
  /** Committed: nothing from transactions that are open. Those that were aborted are not filtered. */
  readonly isolation?: 'uncommitted' | 'committed'
  /** How long a failure that may pass is tried again before it is the caller's. */
  readonly retryTimeoutMs?: number
}

export interface FetchedPartition {
  /** Whole batches, one after another; the first may start before the offset asked for. */
  readonly batches: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
}

/** Version 13 names topics by id; a name is what the caller has, and every broker knows 12. */
export const fetchVersion = 12
export const isolationLevels = { uncommitted: 0, committed: 1 } as const
const earliestTimestamp = -2
const latestTimestamp = -1
const nothing = Buffer.alloc(0)
let lanes = 0

export class PartitionReader {
  readonly #cluster: Cluster
  readonly #options: Required<PartitionReaderOptions>
  /** A fetch that waits for data would hold up whatever else is asked on its connection. */
  readonly #lane: string

  constructor(cluster: Cluster, options: PartitionReaderOptions) {
    this.#cluster = cluster
    this.#options = {
      maxBytes: 4 * 1024 * 1024,
      minBytes: 1,
      maxWaitMs: 500,
      isolation: 'uncommitted',
      retryTimeoutMs: 2 * cluster.requestTimeoutMs,
      ...options,
    }
    this.#lane = `read ${options.topic}-${options.partition} ${++lanes}`
  }

  /**
   * Waits for data as the options say; `batches` is empty when there was none. Fails with a
   * KafkaError, OFFSET_OUT_OF_RANGE when the log does not have `offset`.
   */
  async fetch(offset: number): Promise<FetchedPartition> {
    return await this.#retrying(() => this.#fetchOnce(offset))
  }

  /** The first offset that can be read. */
  async earliest(): Promise<number> {
    return await this.#retrying(() => this.#offsetAt(earliestTimestamp))
  }

  /** The offset after the last one that can be read. */
  async latest(): Promise<number> {
    return await this.#retrying(() => this.#offsetAt(latestTimestamp))
  }

  close(): void {
    this.#cluster.closeLane(this.#lane)
  }

  #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#cluster.retrying(this.#options.retryTimeoutMs, async () => {
      try {
        return await attempt()
      } catch (error) {
        const isStale = !(error instanceof KafkaError) || saysStale(error.errorCode)
        if (isStale) this.#cluster.invalidate(this.#options.topic)
        throw error
      }
    })
  }

  async #fetchOnce(offset: number): Promise<FetchedPartition> {
    const { topic, partition, maxBytes, minBytes, maxWaitMs, isolation } = this.#options
    const connection = await this.#cluster.leader(topic, partition, this.#lane)
    const request = {
      maxWaitMs,
      minBytes,
      maxBytes,
      isolationLevel: isolationLevels[isolation],
      topics: [
        { topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes }] },
      ],
    }
    const timeoutMs = maxWaitMs + this.#cluster.requestTimeoutMs
    const answer = await connection.send(fetch, request, { version: fetchVersion, timeoutMs })
    const found = answer.responses[0]?.partitions[0]
    if (answer.errorCode !== ErrorCode.none) throw new KafkaError(answer.errorCode, this.#place)
    if (found === undefined) throw unanswered('Fetch', this.#place)
    if (found.errorCode !== ErrorCode.none) {
      throw new KafkaError(found.errorCode, `${this.#place} at offset ${offset}`)
    }
    const { highWatermark, logStartOffset } = found
    return { batches: wholeBatches(found.records ?? nothing), highWatermark, logStartOffset }
  }

  async #offsetAt(timestamp: number): Promise<number> {
    const { topic, partition, isolation } = this.#options
    const connection = await this.#cluster.leader(topic, partition)
    const answer = await connection.send(listOffsets, {
      replicaId: -1,
      isolationLevel: isolationLevels[isolation],
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
    })
    const found = answer.topics[0]?.partitions[0]
    if (found === undefined) throw unanswered('ListOffsets', this.#place)
    if (found.errorCode !== ErrorCode.none) throw new KafkaError(found.errorCode, this.#place)
    return found.offset
  }

  get #place(): string {
    return `${this.#options.topic}-${this.#options.partition}`
  }
}

/**
 * Cuts off what follows the last whole batch: a broker ends an answer at its size limit, wherever
 * that falls. No copy.
 */
export function wholeBatches(records: Buffer): Buffer {
  let end = 0
  while (records.length - end >= batchLengthPrefixBytes) {
    const length = records.readInt32BE(end + RecordBatchField.batchLength)
    if (length <= 0 || length > records.length - end - batchLengthPrefixBytes) break
    end += batchLengthPrefixBytes + length
  }
  return records.subarray(0, end)
}

function unanswered(api: string, place: string): ClientError {
  return new ClientError('MALFORMED_RESPONSE', `no answer for ${place} in a ${api} answer`)
}
