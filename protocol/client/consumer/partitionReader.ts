// Reads one partition in whole record batches, as they are stored. Keeps no position and decodes no
// record: the caller passes each offset and decodes what it needs. Omits control batches, and with
// isolation `committed` the batches of aborted transactions.

import { fetch } from '../../kafka/apis/fetch.ts'
import { listOffsets } from '../../kafka/apis/listOffsets.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { zeroUuid } from '../../kafka/schema/fields.ts'
import { assert } from '../../runtime/assert.ts'
import { ClientError } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { saysStale } from '../cluster/clusterView.ts'
import type { Isolation } from './isolation.ts'
import { visibleBatches } from './visibleBatches.ts'

export interface PartitionReaderOptions {
  readonly topic: string
  readonly partition: number
  /**
   * Limit on one response, in bytes; a larger first batch is returned alone. 4 MiB unless given.
   */
  readonly maxBytes?: number
  /** Bytes that the broker waits for, up to `maxWaitMs`. 1 unless given. */
  readonly minBytes?: number
  /** Limit on the time that the broker waits for records, in ms. 500 unless given. */
  readonly maxWaitMs?: number
  /** `uncommitted` unless given, as in Kafka. */
  readonly isolation?: Isolation
  /**
   * Id of the topic, checked by brokers since Kafka 3.1: `fetch` fails with TOPIC_RECREATED when
   * the topic was deleted and another one has its name.
   */
  readonly topicId?: string | undefined
  /** Limit on the time for retries of one call, in ms. Two request timeouts unless given. */
  readonly retryTimeoutMs?: number
  /**
   * A lane shared with other readers, for fetches that do not wait; a lane of its own unless given.
   */
  readonly lane?: string
}

export interface FetchedPartition {
  /** Whole batches, concatenated; the first may start before the requested offset. */
  readonly batches: Buffer
  /**
   * Offset of the next fetch: after everything in the response, even when all of it is omitted and
   * `batches` is empty.
   */
  readonly nextOffset: number
  readonly highWatermark: number
  /** -1 when the broker does not report it. */
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

/** The newest version of Fetch that identifies topics by name. */
export const fetchVersion = 12
/** The first version of Fetch that identifies topics by id. */
const fetchByIdVersion = 13
export const isolationLevels = { uncommitted: 0, committed: 1 } as const
const earliestTimestamp = -2
const latestTimestamp = -1
const nothing = Buffer.alloc(0)

export class PartitionReader {
  readonly #cluster: Cluster
  readonly #options: Required<Omit<PartitionReaderOptions, 'topicId' | 'lane'>>
  /** Undefined when the topic is identified by its name alone. */
  readonly #topicId: string | undefined
  /**
   * A lane of its own by default: a fetch that waits for records delays later requests of its lane.
   */
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
    this.#topicId = options.topicId === zeroUuid ? undefined : options.topicId
    this.#lane = options.lane ?? cluster.newLane(`read ${options.topic}-${options.partition}`)
  }

  /**
   * Fetches from `offset` on; `batches` is empty when no visible batch arrives within `maxWaitMs`.
   * Fails with a KafkaError (OFFSET_OUT_OF_RANGE for an offset outside of the log), NetworkError or
   * ClientError.
   */
  async fetch(offset: number): Promise<FetchedPartition> {
    return await this.#retrying(() => this.#fetchOnce(offset))
  }

  /** Returns the first offset that can be read. */
  async earliest(): Promise<number> {
    return await this.#retrying(() => this.#offsetAt(earliestTimestamp))
  }

  /** Returns the offset after the last one that can be read. */
  async latest(): Promise<number> {
    return await this.#retrying(() => this.#offsetAt(latestTimestamp))
  }

  /**
   * Returns the offset of the first record with a timestamp of `timeMs` (ms since the epoch, at
   * least 0) or later; `latest` without such a record.
   */
  async offsetForTime(timeMs: number): Promise<number> {
    assert(timeMs >= 0, `a timestamp is at least 0 (negative ones are sentinels), not ${timeMs}`)
    const offset = await this.#retrying(() => this.#offsetAt(timeMs))
    return offset < 0 ? await this.latest() : offset
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
        if (isStale) await this.#requireSameTopic(error)
        throw error
      }
    })
  }

  /** Throws TOPIC_RECREATED, caused by `failure`, when the topic of this name has another id. */
  async #requireSameTopic(failure: unknown): Promise<void> {
    const { topic } = this.#options
    if (this.#topicId === undefined || !(failure instanceof KafkaError)) return
    const current = await this.#cluster.topicId(topic).catch(() => undefined)
    if (current === undefined || current === zeroUuid || current === this.#topicId) return
    throw new ClientError(
      'TOPIC_RECREATED',
      `topic ${topic} with id ${this.#topicId} was deleted; the topic of this name now has id ${current}`,
      failure,
    )
  }

  async #fetchOnce(offset: number): Promise<FetchedPartition> {
    const { topic, partition, maxBytes, minBytes, maxWaitMs, isolation } = this.#options
    const connection = await this.#cluster.leader(topic, partition, this.#lane)
    const byId = this.#topicId !== undefined
    const version = connection.versionOf(fetch, byId ? fetchByIdVersion : fetchVersion)
    const request = {
      maxWaitMs,
      minBytes,
      maxBytes,
      isolationLevel: isolationLevels[isolation],
      topics: [
        {
          topic,
          topicId: this.#topicId ?? zeroUuid,
          partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes }],
        },
      ],
    }
    const timeoutMs = maxWaitMs + this.#cluster.requestTimeoutMs
    const answer = await connection.send(fetch, request, { version, timeoutMs })
    const found = answer.responses[0]?.partitions[0]
    if (answer.errorCode !== ErrorCode.none) throw new KafkaError(answer.errorCode, this.#place)
    if (found === undefined) throw unanswered('Fetch', this.#place)
    if (found.errorCode !== ErrorCode.none) {
      throw new KafkaError(found.errorCode, `${this.#place} at offset ${offset}`)
    }
    const { highWatermark, lastStableOffset, logStartOffset, abortedTransactions } = found
    const { batches, nextOffset } = visibleBatches(
      found.records ?? nothing,
      abortedTransactions ?? [],
    )
    return {
      batches,
      nextOffset: nextOffset ?? offset,
      highWatermark,
      lastStableOffset,
      logStartOffset,
    }
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

function unanswered(api: string, place: string): ClientError {
  return new ClientError('MALFORMED_RESPONSE', `${api} response without partition ${place}`)
}
