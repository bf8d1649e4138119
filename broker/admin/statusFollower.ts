// Reads the status topic as any client would, and hands each status to a listener. It begins with the
// newest status of every program, also of those that report no more: a job that failed before the
// console started is still a failed job.

import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import { splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { decodeStatus, type Status, statusTopic } from '../../protocol/telemetry/status.ts'

const retryMs = 500
/** Retried here as well, so that a failure is known while it lasts and not only when it is over. */
const retryTimeoutMs = 1_000
const mostDecompressedBytes = 16 * 1024 * 1024
/** Most bytes of newest statuses held while the topic is read up to its end; older ones make room. */
const mostHeldBytes = 64 * 1024 * 1024

export interface StatusListener {
  /** `heardMs` is when the status was read, or made if that was before the console started. */
  heard(status: Status, heardMs: number): void
  /** The program's status was deleted: somebody wrote a record without a value for its key. */
  deleted(id: string): void
}

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
  listener: StatusListener,
): StatusFollower {
  return new Follower(cluster, clock, logger, listener)
}

class Follower implements StatusFollower {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #listener: StatusListener
  readonly #reader: PartitionReader
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  failure: StatusFailure | undefined

  constructor(cluster: Cluster, clock: Clock, logger: Logger, listener: StatusListener) {
    this.#clock = clock
    this.#logger = logger
    this.#listener = listener
    this.#reader = new PartitionReader(cluster, {
      topic: statusTopic,
      partition: 0,
      maxWaitMs: 250,
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
        offset ??= await this.#catchUp()
        const { batches } = await this.#reader.fetch(offset)
        offset = this.#read(batches, offset, (key, value) => this.#hear(key, value))
        this.#reachable()
      } catch (error) {
        this.#failed(error as Error)
        // Retention has passed the offset, or the topic is another one by that name.
        if (isOutOfRange(error)) offset = undefined
        await sleep(this.#clock, retryMs, signal)
      }
    }
  }

  /** Reads the topic up to its end, hands on the newest status of each program; returns the offset. */
  async #catchUp(): Promise<number> {
    const end = await this.#reader.latest()
    let offset = await this.#reader.earliest()
    const newest = new NewestValues()
    while (offset < end && !this.#stopping.signal.aborted) {
      const { batches } = await this.#reader.fetch(offset)
      offset = this.#read(batches, offset, (key, value) => newest.set(key, value))
    }
    for (const [key, value] of newest.entries()) this.#hear(key, value, true)
    return offset
  }

  #hear(id: string, value: Buffer | null, isOld = false): void {
    if (value === null) {
      this.#listener.deleted(id)
      return
    }
    try {
      const status = decodeStatus(value)
      const nowMs = this.#clock.nowMs()
      this.#listener.heard(status, isOld ? Math.min(nowMs, status.timeMs) : nowMs)
    } catch (error) {
      this.#logger.warn({ error, id }, 'failed to read a status record')
    }
  }

  #reachable(): void {
    if (this.failure) this.#logger.info({ topic: statusTopic }, 'the status topic is read again')
    this.failure = undefined
  }

  #failed(error: Error): void {
    // The topic is created with its first status: until then there is nothing to read, and all is well.
    if (error instanceof KafkaError && error.errorCode === ErrorCode.unknownTopicOrPartition) {
      this.failure = undefined
      return
    }
    if (!this.failure && !this.#stopping.signal.aborted) {
      const fields = { topic: statusTopic, reason: error.message }
      this.#logger.warn(fields, 'failed to read the status topic; retrying until it can be read')
    }
    this.failure ??= { sinceMs: this.#clock.nowMs(), reason: error.message }
  }

  /** Hands on every record from `offset` on; returns the offset after the last. */
  #read(bytes: Buffer, offset: number, take: (key: string, value: Buffer | null) => void): number {
    for (const batch of splitBatches(bytes)) {
      if (batch.nextOffset <= offset) continue
      for (const record of records(batch, mostDecompressedBytes)) {
        if (record.offset >= offset) take(record.key?.toString() ?? '', record.value)
      }
      offset = batch.nextOffset
    }
    return offset
  }
}

/** The newest value of each key, in the order in which they were written, bounded in bytes. */
class NewestValues {
  readonly #values = new Map<string, Buffer>()
  #bytes = 0

  set(key: string, value: Buffer | null): void {
    this.#delete(key)
    if (value === null) return
    // A copy: the value is a view of a whole answer.
    this.#values.set(key, Buffer.from(value))
    this.#bytes += value.length
    while (this.#bytes > mostHeldBytes) this.#delete(this.#values.keys().next().value!)
  }

  entries(): IterableIterator<[string, Buffer]> {
    return this.#values.entries()
  }

  #delete(key: string): void {
    this.#bytes -= this.#values.get(key)?.length ?? 0
    this.#values.delete(key)
  }
}

function isOutOfRange(error: unknown): boolean {
  return error instanceof KafkaError && error.errorCode === ErrorCode.offsetOutOfRange
}
