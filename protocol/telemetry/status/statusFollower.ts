// Follows the status topic as any client would, and passes each status to a listener. Starts with
// the latest status of every program, including programs that no longer report: a job that failed
// before the console started is still shown as failed.

import type { Cluster } from '../../client/cluster/cluster.ts'
import { PartitionReader } from '../../client/consumer/partitionReader.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { splitBatches } from '../../kafka/records/recordBatch.ts'
import { records } from '../../kafka/records/recordCursor.ts'
import { type Clock, sleep } from '../../runtime/time/clock.ts'
import { LastingCondition } from '../logging/lastingCondition.ts'
import type { Logger } from '../logging/logger.ts'
import type { Status } from './status.ts'
import { statusTopic } from './statusTopicName.ts'

const retryMs = 500
/** The topic has no leader for a moment when it is created, and when its broker restarts. */
const failureGraceMs = 2_000
/** Retried here as well, so that a failure is visible while it lasts, not only when it is over. */
const retryTimeoutMs = 1_000
const mostDecompressedBytes = 16 * 1024 * 1024
/**
 * Maximum bytes of latest statuses held while the topic is read up to its end; older ones are
 * dropped.
 */
const mostHeldBytes = 64 * 1024 * 1024

export interface StatusListener {
  /**
   * Called for each status. `heardMs` is when it was read, or made if that was before the follower
   * started: such a status is old.
   */
  heard(status: Status, heardMs: number, isOld: boolean): void
  /** Called when a status was deleted by a record without a value. */
  deleted?(id: string): void
  /** Filters by id, before decoding. Default: all. */
  readonly wants?: (id: string) => boolean
  /** Called once, after all statuses present at the start were passed on. */
  caughtUp?(): void
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

/** `maxWaitMs` is the maximum wait of a fetch, and so the maximum delay of `stop`. */
export function followStatus(
  cluster: Cluster,
  clock: Clock,
  logger: Logger,
  listener: StatusListener,
  maxWaitMs = 250,
): StatusFollower {
  return new Follower(cluster, clock, logger, listener, maxWaitMs)
}

class Follower implements StatusFollower {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #listener: StatusListener
  readonly #fails: LastingCondition
  readonly #reader: PartitionReader
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  /** Loaded with the first status: without any, most of what a console needs is never loaded. */
  #decode: ((value: Uint8Array) => Status) | undefined
  #hasCaughtUp = false
  failure: StatusFailure | undefined

  constructor(
    cluster: Cluster,
    clock: Clock,
    logger: Logger,
    listener: StatusListener,
    maxWaitMs: number,
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#listener = listener
    this.#fails = new LastingCondition({
      ...{ clock, logger, graceMs: failureGraceMs },
      over: 'the status topic is read again',
    })
    this.#reader = new PartitionReader(cluster, {
      topic: statusTopic,
      partition: 0,
      maxWaitMs,
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
        const { batches, nextOffset } = await this.#fetch(offset)
        this.#read(batches, offset, (key, value) => this.#hear(key, value))
        offset = nextOffset
        this.#reachable()
      } catch (error) {
        this.#failed(error as Error)
        // Retention has deleted the offset, or the topic was recreated.
        if (isOutOfRange(error)) offset = undefined
        await sleep(this.#clock, retryMs, signal)
      }
    }
  }

  /**
   * Reads the topic up to its end and passes on the latest status of each program; returns the
   * offset.
   */
  async #catchUp(): Promise<number> {
    const end = await this.#reader.latest()
    let offset = await this.#reader.earliest()
    const newest = new NewestValues(this.#listener.wants)
    while (offset < end && !this.#stopping.signal.aborted) {
      const { batches, nextOffset } = await this.#fetch(offset)
      this.#read(batches, offset, (key, value) => newest.set(key, value))
      offset = nextOffset
    }
    for (const [key, value] of newest.entries()) this.#hear(key, value, true)
    this.#isCaughtUp()
    return offset
  }

  async #fetch(offset: number) {
    const fetched = await this.#reader.fetch(offset)
    if (fetched.batches.length > 0) this.#decode ??= (await import('./status.ts')).decodeStatus
    return fetched
  }

  #isCaughtUp(): void {
    if (!this.#hasCaughtUp && !this.#stopping.signal.aborted) this.#listener.caughtUp?.()
    this.#hasCaughtUp = true
  }

  #hear(id: string, value: Buffer | null, isOld = false): void {
    if (this.#stopping.signal.aborted || this.#listener.wants?.(id) === false) return
    if (value === null) {
      this.#listener.deleted?.(id)
      return
    }
    try {
      const status = this.#decode!(value)
      const nowMs = this.#clock.nowMs()
      this.#listener.heard(status, isOld ? Math.min(nowMs, status.timeMs) : nowMs, isOld)
    } catch (error) {
      this.#logger.warn({ error, id }, 'failed to read a status record')
    }
  }

  #reachable(): void {
    this.#fails.over({ topic: statusTopic })
    this.failure = undefined
  }

  #failed(error: Error): void {
    // The topic is created with its first status: until then a missing topic is not a failure.
    if (error instanceof KafkaError && error.errorCode === ErrorCode.unknownTopicOrPartition) {
      this.#fails.over({ topic: statusTopic })
      this.failure = undefined
      this.#isCaughtUp()
      return
    }
    if (!this.#stopping.signal.aborted) {
      const fields = { topic: statusTopic, reason: error.message }
      this.#fails.met(fields, 'failed to read the status topic; retrying until it can be read')
    }
    this.failure ??= { sinceMs: this.#clock.nowMs(), reason: error.message }
  }

  /** Passes on every record from `offset`. */
  #read(bytes: Buffer, offset: number, take: (key: string, value: Buffer | null) => void): void {
    for (const batch of splitBatches(bytes)) {
      if (batch.nextOffset <= offset) continue
      for (const record of records(batch, mostDecompressedBytes)) {
        if (record.offset >= offset) take(record.key?.toString() ?? '', record.value)
      }
    }
  }
}

/** The latest value of each key, in write order, bounded in bytes. */
class NewestValues {
  readonly #values = new Map<string, Buffer>()
  readonly #wants: StatusListener['wants']
  #bytes = 0

  constructor(wants: StatusListener['wants']) {
    this.#wants = wants
  }

  set(key: string, value: Buffer | null): void {
    if (this.#wants?.(key) === false) return
    this.#delete(key)
    if (value === null) return
    // A copy: the value is a view of a whole response.
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
