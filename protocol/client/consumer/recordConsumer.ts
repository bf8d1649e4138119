// The consumer of `millrace/client`: GroupConsumer as an async iterable of records. Invariant: a
// record is committed only after the loop has requested the record after it.

import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { splitBatches, validateBatch } from '../../kafka/records/recordBatch.ts'
import { records } from '../../kafka/records/recordCursor.ts'
import { ClientError } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { type FetchedBatches, GroupConsumer } from './consumer.ts'
import type { Isolation } from './isolation.ts'
import type { Assignment } from './rangeAssignor.ts'

/** Options of a consumer. */
export interface ConsumerOptions {
  /** The consumer group, whose committed offsets are the start positions. */
  readonly groupId: string
  readonly topics: readonly string[]
  /**
   * Start position of partitions without a committed offset; `none` fails with OFFSET_OUT_OF_RANGE.
   * `latest` unless given.
   */
  readonly autoOffsetReset?: 'earliest' | 'latest' | 'none'
  /** Whether processed records are committed before the next fetch; true unless given. */
  readonly autoCommit?: boolean
  /** `uncommitted` unless given, as in Kafka. */
  readonly isolation?: Isolation
  /**
   * Time without a heartbeat after which the partitions are reassigned, in ms. 45,000 unless given.
   */
  readonly sessionTimeoutMs?: number
  /**
   * Limit on the time that a loop takes for the records of one fetch during a rebalance, in ms;
   * then the partitions are reassigned. 60,000 unless given.
   */
  readonly rebalanceTimeoutMs?: number
  /** Limit on the time that the broker waits for records, in ms. 500 unless given. */
  readonly maxWaitMs?: number
  /** Bytes that the broker waits for, up to `maxWaitMs`. 1 unless given. */
  readonly minBytes?: number
  /**
   * Limit on one fetch response, in bytes; a larger first batch is returned alone. 4 MiB unless
   * given.
   */
  readonly maxBytes?: number
  /** Called after partitions are assigned to this member. */
  readonly onAssigned?: (assignment: Assignment) => void | Promise<void>
  /**
   * Called before the partitions of this member are revoked, while their offsets can be committed.
   */
  readonly onRevoked?: (assignment: Assignment) => void | Promise<void>
}

/** A header of a record. */
export interface ConsumedHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record of a topic. Its buffers are views of the fetch response: copy what is kept for long. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** In ms since the epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  /** Null for a tombstone, which deletes the key in a compacted topic. */
  readonly value: Buffer | null
  readonly headers: readonly ConsumedHeader[]
}

/**
 * A member of a consumer group. `for await` yields records without end. With `autoCommit`, the
 * records of one fetch are committed before the next fetch. A loop that ends, by `break` or by an
 * error, commits nothing more, so its last records are delivered again (at least once); call
 * `commit` before `break` to prevent that.
 */
export interface Consumer extends AsyncIterable<ConsumedRecord>, AsyncDisposable {
  /** The partitions of this member, by topic. */
  readonly assignment: Assignment
  /**
   * Commits all records yielded so far, including the current one. Fails with a KafkaError
   * (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS) when the partitions were
   * reassigned.
   */
  commit(): Promise<void>
  /** Leaves the group without committing. */
  close(): Promise<void>
}

/** Limit on a batch and on its decompressed records, in bytes; far above every broker's default. */
const maxBatchBytes = 256 * 1024 * 1024
/** Error codes of a commit after a rebalance: another member reads the uncommitted records. */
const groupMovedOn: ReadonlySet<number> = new Set([
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
  ErrorCode.rebalanceInProgress,
])

export class RecordConsumer implements Consumer {
  readonly #consumer: GroupConsumer
  readonly #autoCommit: boolean
  readonly #onClosed: (consumer: RecordConsumer) => void
  /** Next offsets of the records that were yielded and are not committed. */
  readonly #handedOut = new Map<string, Map<number, number>>()
  /**
   * Polled records that are not yielded yet. Outlives a loop, so that the next loop continues
   * there.
   */
  #records: Iterator<ConsumedRecord, void> | undefined
  #isIterated = false
  #isClosed = false

  constructor(
    cluster: Cluster,
    { autoCommit = true, ...options }: ConsumerOptions,
    onClosed: (consumer: RecordConsumer) => void,
  ) {
    this.#autoCommit = autoCommit
    this.#onClosed = onClosed
    this.#consumer = new GroupConsumer(cluster, {
      ...options,
      onRevoked: async (assignment) => {
        await options.onRevoked?.(assignment)
        // The next owner may have committed later offsets by the time of this member's next commit.
        this.#handedOut.clear()
      },
    })
  }

  get assignment(): Assignment {
    return this.#consumer.assignment
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void> {
    if (this.#isIterated) {
      throw new ClientError(
        'CONSUMER_BUSY',
        'this consumer is already iterated by another loop: create a consumer for each loop',
      )
    }
    this.#isIterated = true
    try {
      while (!this.#isClosed) {
        const next = this.#records?.next()
        if (next === undefined || next.done) await this.#poll()
        else yield next.value
      }
    } catch (error) {
      // `close` ended the poll: the loop ends without an error.
      const isEnd = error instanceof ClientError && error.code === 'CLIENT_CLOSED'
      if (!(isEnd && this.#isClosed)) throw error
    } finally {
      this.#isIterated = false
    }
  }

  async commit(): Promise<void> {
    if (this.#handedOut.size === 0) return
    const offsets = new Map(this.#handedOut)
    this.#handedOut.clear()
    await this.#consumer.commit(offsets)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#consumer.close()
    this.#onClosed(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #poll(): Promise<void> {
    if (this.#autoCommit) await this.#commitUnlessMoved()
    this.#records = this.#recordsOf(await this.#consumer.poll())
  }

  *#recordsOf(answer: readonly FetchedBatches[]): Generator<ConsumedRecord, void> {
    for (const { topic, partition, batches, offset: from, nextOffset } of answer) {
      for (const batch of splitBatches(batches)) {
        validateBatch(batch, { maxBytes: maxBatchBytes })
        for (const record of records(batch, maxBatchBytes)) {
          if (record.offset < from) continue
          const { offset, timestamp: timestampMs, key, value, headers } = record
          this.#note(topic, partition, offset + 1)
          yield { topic, partition, offset, timestampMs, key, value, headers }
        }
      }
      // May be beyond the last record: later ones were compacted or belong to an aborted
      // transaction.
      this.#note(topic, partition, nextOffset)
    }
  }

  #note(topic: string, partition: number, nextOffset: number): void {
    const ofTopic = this.#handedOut.get(topic) ?? new Map<number, number>()
    this.#handedOut.set(topic, ofTopic.set(partition, nextOffset))
  }

  async #commitUnlessMoved(): Promise<void> {
    try {
      await this.commit()
    } catch (error) {
      if (!(error instanceof KafkaError && groupMovedOn.has(error.errorCode))) throw error
    }
  }
}
