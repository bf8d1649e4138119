// The consumer of `millrace/client`: GroupConsumer, record by record and as an async iterable. Invariant:
// nothing is committed before the loop that got it asks for what comes after it.

import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import { splitBatches, validateBatch } from '../kafka/recordBatch.ts'
import { records } from '../kafka/recordCursor.ts'
import { ClientError } from './clientError.ts'
import type { Cluster } from './cluster.ts'
import { type FetchedBatches, GroupConsumer } from './consumer.ts'
import type { Isolation } from './isolation.ts'
import type { Assignment } from './rangeAssignor.ts'

/** What a consumer reads, and as a member of which group. */
export interface ConsumerOptions {
  /** The consumer group, which remembers how far each partition was read. */
  readonly groupId: string
  readonly topics: readonly string[]
  /**
   * Where to start in partitions for which the group has not committed: `latest` unless given; `none` fails
   * with OFFSET_OUT_OF_RANGE.
   */
  readonly autoOffsetReset?: 'earliest' | 'latest' | 'none'
  /** Whether what a loop is done with is committed when it asks for more; true unless given. */
  readonly autoCommit?: boolean
  /** `uncommitted` unless given, as in Kafka. */
  readonly isolation?: Isolation
  /** Time without a heartbeat after which the group gives the partitions to others, in ms. 45,000 unless given. */
  readonly sessionTimeoutMs?: number
  /** Longest time that a loop may take for the records of one answer during a rebalance, in ms. 60,000 unless given. */
  readonly rebalanceTimeoutMs?: number
  /** Longest wait of the broker for records, in ms. 500 unless given. */
  readonly maxWaitMs?: number
  /** Bytes that the broker waits for, up to `maxWaitMs`. 1 unless given. */
  readonly minBytes?: number
  /** Size of one answer of a broker, in bytes. 4 MiB unless given. */
  readonly maxBytes?: number
  /** Called with partitions that this member got. */
  readonly onAssigned?: (assignment: Assignment) => void | Promise<void>
  /** Called before partitions are given away. */
  readonly onRevoked?: (assignment: Assignment) => void | Promise<void>
}

/** A header of a record. */
export interface ConsumedHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record of a topic. Its bytes are views of the answer that brought it. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** In ms since the epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  /** Null says that the key was deleted. */
  readonly value: Buffer | null
  readonly headers: readonly ConsumedHeader[]
}

/**
 * A member of a consumer group. `for await` over it gives records without end. Records are committed when
 * the loop asks for more than one answer of the brokers has brought; a loop that ends, by `break` or by an
 * error, commits nothing more, so that its last records come again (at least once). `commit` before the
 * `break` prevents that.
 */
export interface Consumer extends AsyncIterable<ConsumedRecord>, AsyncDisposable {
  /** The partitions of this member, by topic. */
  readonly assignment: Assignment
  /**
   * Commits all records that were handed out, the current one included. Fails with a KafkaError
   * (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS) when the group has given the partitions to
   * others.
   */
  commit(): Promise<void>
  /** Leaves the group without committing. */
  close(): Promise<void>
}

/** Larger than what any broker hands out, unless it is told to. Also of what is decompressed. */
const maxBatchBytes = 256 * 1024 * 1024
/** The group moved on: another member reads what could not be committed. */
const groupMovedOn: ReadonlySet<number> = new Set([
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
  ErrorCode.rebalanceInProgress,
])

export class RecordConsumer implements Consumer {
  readonly #consumer: GroupConsumer
  readonly #autoCommit: boolean
  readonly #closed: (consumer: RecordConsumer) => void
  /** Next offsets of what was handed out, and not committed. */
  readonly #handedOut = new Map<string, Map<number, number>>()
  /** Polled and not handed out yet. Outlives a loop, so that the next one goes on there. */
  #records: Iterator<ConsumedRecord, void> | undefined
  #isIterated = false
  #isClosed = false

  constructor(
    cluster: Cluster,
    { autoCommit = true, ...options }: ConsumerOptions,
    closed: (consumer: RecordConsumer) => void,
  ) {
    this.#autoCommit = autoCommit
    this.#closed = closed
    this.#consumer = new GroupConsumer(cluster, {
      ...options,
      onRevoked: async (assignment) => {
        await options.onRevoked?.(assignment)
        // Their next owner may have committed more by the time of this member's next commit.
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
        'this consumer is read by another loop: make a consumer for each',
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
      // Only a poll that `close` ended fails in this way: the end of the loop, and no failure.
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
    this.#closed(this)
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
      // Behind the last record, where others were compacted away or belong to an aborted transaction.
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
