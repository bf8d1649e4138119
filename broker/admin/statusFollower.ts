// Reads the status topic from its end on, as any client would, and hands each status to a listener.
// Programs speak every second, so what was said before the console started is soon said again.

import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import { splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { decodeStatus, type Status, statusTopic } from '../../protocol/telemetry/status.ts'

const retryMs = 500
const retryTimeoutMs = 1_000
const mostDecompressedBytes = 16 * 1024 * 1024

export interface StatusFollower {
  /** Why the topic cannot be read, and since when; undefined while it can. */
  readonly failure: StatusFailure | undefined
  stop(): Promise<void>
}

export interface StatusFailure {
  readonly sinceMs: number
  readonly reason: string
}

export function followStatus(
  cluster: Cluster,
  clock: Clock,
  logger: Logger,
  listener: (status: Status) => void,
): StatusFollower {
  return new Follower(cluster, clock, logger, listener)
}

class Follower implements StatusFollower {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #listener: (status: Status) => void
  readonly #reader: PartitionReader
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  failure: StatusFailure | undefined

  constructor(cluster: Cluster, clock: Clock, logger: Logger, listener: (status: Status) => void) {
    this.#clock = clock
    this.#logger = logger
    this.#listener = listener
    this.#reader = new PartitionReader(cluster, {
      topic: statusTopic,
      partition: 0,
      maxWaitMs: 250,
      // Retried here, so that a failure is known while it lasts and not only when it is over.
      retryTimeoutMs,
    })
    this.#done = this.#follow()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    let offset: number | undefined
    while (!signal.aborted) {
      try {
        offset ??= await this.#reader.latest()
        const { batches } = await this.#reader.fetch(offset)
        offset = this.#readAll(batches, offset)
        this.#reachable()
      } catch (error) {
        this.#failed(error as Error)
        offset = undefined
        await sleep(this.#clock, retryMs, signal)
      }
    }
  }

  #reachable(): void {
    if (this.failure) this.#logger.info({ topic: statusTopic }, 'the status topic is read again')
    this.failure = undefined
  }

  #failed(error: Error): void {
    // The topic is created with its first status: until then there is nothing to read, and all is well.
    if (error instanceof KafkaError && error.errorCode === ErrorCode.unknownTopicOrPartition) return
    if (!this.failure && !this.#stopping.signal.aborted) {
      const fields = { topic: statusTopic, reason: error.message }
      this.#logger.warn(fields, 'failed to read the status topic; retrying until it can be read')
    }
    this.failure ??= { sinceMs: this.#clock.nowMs(), reason: error.message }
  }

  /** Hands on every status from `offset` on; returns the offset after the last. */
  #readAll(bytes: Buffer, offset: number): number {
    for (const batch of splitBatches(bytes)) {
      if (batch.nextOffset <= offset) continue
      for (const record of records(batch, mostDecompressedBytes)) {
        if (record.offset < offset || record.value === null) continue
        try {
          this.#listener(decodeStatus(record.value))
        } catch (error) {
          this.#logger.warn({ error, offset: record.offset }, 'failed to read a status record')
        }
      }
      offset = batch.nextOffset
    }
    return offset
  }
}
