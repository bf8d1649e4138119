// Reads one partition, from any offset, in whole batches as they lie in the log. It keeps no position
// and decodes no record: the caller says where to read, and decodes what it needs. What no consumer may
// see (control batches, and aborted transactions under `committed`) is left out here.

import { fetch } from '../kafka/apis/fetch.ts'
import { listOffsets } from '../kafka/apis/listOffsets.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import { zeroUuid } from '../kafka/fields.ts'
import { assert } from '../runtime/assert.ts'
import { ClientError } from './clientError.ts'
import type { Cluster } from './cluster.ts'
import { saysStale } from './clusterView.ts'
import type { Isolation } from './isolation.ts'
import { visibleBatches } from './visibleBatches.ts'

export interface PartitionReaderOptions {
  readonly topic: string
  readonly partition: number
  /** Of one answer. A first batch that is larger comes all the same, alone. */
  readonly maxBytes?: number
  /** The broker waits until there is this much, but no longer than maxWaitMs. */
  readonly minBytes?: number
  readonly maxWaitMs?: number
  readonly isolation?: Isolation
  /**
   * Reads this very topic and no other of the same name (brokers since Kafka 3.1): when the topic was
   * deleted and created again, `fetch` fails with TOPIC_RECREATED.
   */
  readonly topicId?: string | undefined
  /** How long a failure that may pass is retried before it is the caller's. */
  readonly retryTimeoutMs?: number
  /** Shares the connections of this lane with other readers, for fetches that do not wait. */
  readonly lane?: string
}

export interface FetchedPartition {
  /** Whole batches, one after another; the first may start before the offset asked for. */
  readonly batches: Buffer
  /**
   * Where the next fetch begins. It is behind everything that the broker sent: also when all of that
   * was left out, and `batches` is empty.
   */
  readonly nextOffset: number
  readonly highWatermark: number
  /** -1 when the broker does not say. */
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

/** Names topics by their names; every broker knows it. */
export const fetchVersion = 12
/** From here on Fetch names topics by their ids. */
const fetchByIdVersion = 13
export const isolationLevels = { uncommitted: 0, committed: 1 } as const
const earliestTimestamp = -2
const latestTimestamp = -1
const nothing = Buffer.alloc(0)

export class PartitionReader {
  readonly #cluster: Cluster
  readonly #options: Required<Omit<PartitionReaderOptions, 'topicId' | 'lane'>>
  /** Undefined when any topic of the name will do. */
  readonly #topicId: string | undefined
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
    this.#topicId = options.topicId === zeroUuid ? undefined : options.topicId
    this.#lane = options.lane ?? cluster.newLane(`read ${options.topic}-${options.partition}`)
  }

  /**
   * Waits for data as the options say; `batches` is empty when there was none, or none to be seen.
   * Fails with a KafkaError, OFFSET_OUT_OF_RANGE when the log does not have `offset`.
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

  /**
   * The offset of the first record with a timestamp of `timeMs` (milliseconds since the epoch, at least 0) or
   * later; `latest` when there is none.
   */
  async offsetForTime(timeMs: number): Promise<number> {
    assert(timeMs >= 0, `a time of ${timeMs} ms would stand for another question`)
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

  /** Throws TOPIC_RECREATED, in place of `failure`, when the name has come to mean another topic. */
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
  return new ClientError('MALFORMED_RESPONSE', `no answer for ${place} in a ${api} answer`)
}
