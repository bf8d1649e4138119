// Sends encoded record batches to the leaders of their partitions, in order, with several in
// flight, and retries them until they are stored or their delivery timeout expires. Invariant: a
// batch is never changed, and only its header is read. BatchQueue decides what a failure means for
// later batches.

import { produce } from '../../kafka/apis/produce.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { RecordBatch } from '../../kafka/records/recordBatch.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import { assert } from '../../runtime/assert.ts'
import type { Clock, Timer } from '../../runtime/time/clock.ts'
import type { Backoff } from '../backoff.ts'
import { ClientError, isRetriableFailure } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { saysStale } from '../cluster/clusterView.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import { BatchQueue, type Verdict } from './batchQueue.ts'

export { initProducerId, type ProducerIdentity } from './initProducerId.ts'

export interface BatchSenderOptions {
  /** Replicas that must have a batch before it is acknowledged. -1: all in sync; 1: the leader. */
  readonly acks: -1 | 1
  /** Limit on the time from `send` to the last attempt, in ms; Infinity for no limit. */
  readonly deliveryTimeoutMs: number
  /** Batches in flight per partition, 1 to 5. */
  readonly maxInFlight: number
  /** Limit on the unacknowledged bytes of all partitions. 256 MiB unless given. */
  readonly maxQueuedBytes?: number
}

export interface SentBatch {
  /** Offset of the first record; -1 for a duplicate whose offset the broker no longer knows. */
  readonly baseOffset: number
  /** Whether the broker had stored the batch from an earlier attempt. */
  readonly duplicate: boolean
}

/** The newest version that identifies topics by name; from 13 on they are identified by id. */
const produceVersion = 12
const defaultMaxQueuedBytes = 256 * 1024 * 1024
/** Batches of several partitions share a request of about this size. */
const maxRequestBytes = 8 * 1024 * 1024

interface PendingBatch {
  readonly bytes: Buffer
  readonly producerId: number
  readonly deadlineMs: number
  resolve(sent: SentBatch): void
  reject(error: Error): void
}

interface Partition {
  readonly topic: string
  readonly index: number
  readonly queue: BatchQueue<PendingBatch>
  readonly backoff: Backoff
  connection: KafkaConnection | undefined
  isConnecting: boolean
  /** The timer of the pause after a failure, while it runs. */
  pause: Timer | undefined
}

interface Sent {
  readonly partition: Partition
  readonly batch: PendingBatch
}

type PartitionAnswer = ResponseOf<typeof produce>['responses'][number]['partitionResponses'][number]

export class BatchSender {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #options: BatchSenderOptions
  readonly #maxQueuedBytes: number
  readonly #partitions = new Map<string, Partition>()
  readonly #ready = new Set<Partition>()
  #isScheduled = false
  #isClosed = false
  #queuedBytes = 0

  constructor(cluster: Cluster, clock: Clock, options: BatchSenderOptions) {
    this.#cluster = cluster
    this.#clock = clock
    this.#options = options
    this.#maxQueuedBytes = options.maxQueuedBytes ?? defaultMaxQueuedBytes
  }

  /** Bytes given to `send` that are neither stored nor rejected yet. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /**
   * Resolves when the batch is stored. `batch` is one whole encoded record batch, with a producer
   * id and sequence if it must be stored exactly once; its bytes must not change until the promise
   * settles. Batches of a partition are stored in the order of the calls. Fails with a KafkaError
   * when the broker rejects the batch, and with ClientError DELIVERY_TIMEOUT, TOO_MANY_REQUESTS or
   * CLIENT_CLOSED. A sequenced batch after a failed one fails as well, because of the gap in the
   * sequence: its producer must continue with a new producer id.
   */
  send(topic: string, partition: number, batch: Buffer): Promise<SentBatch> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(closed())
      if (this.#queuedBytes + batch.length > this.#maxQueuedBytes && this.#queuedBytes > 0) {
        return reject(full(this.#maxQueuedBytes))
      }
      const header = new RecordBatch(batch)
      assert(header.sizeInBytes === batch.length, 'exactly one whole batch is sent at a time')
      this.#queuedBytes += batch.length
      const place = this.#partition(topic, partition)
      place.queue.add({
        bytes: batch,
        producerId: header.producerId,
        deadlineMs: this.#clock.monotonicMs() + this.#options.deliveryTimeoutMs,
        resolve,
        reject,
      })
      this.#wake(place)
    })
  }

  /**
   * Rejects waiting batches. Batches in flight settle with their responses. The cluster stays open.
   */
  close(): void {
    this.#isClosed = true
    for (const partition of this.#partitions.values()) {
      partition.pause?.cancel()
      for (const batch of partition.queue.takeWaiting()) this.#reject(batch, closed())
    }
  }

  #partition(topic: string, index: number): Partition {
    const key = `${topic}/${index}`
    let partition = this.#partitions.get(key)
    if (partition === undefined) {
      partition = {
        topic,
        index,
        queue: new BatchQueue(this.#options.maxInFlight),
        backoff: this.#cluster.newBackoff(),
        connection: undefined,
        isConnecting: false,
        pause: undefined,
      }
      this.#partitions.set(key, partition)
    }
    return partition
  }

  /** Batches queued in the same turn of the event loop share one request per leader. */
  #wake(partition: Partition): void {
    this.#ready.add(partition)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#cluster.runtime.scheduler.soon(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    const byConnection = new Map<KafkaConnection, Partition[]>()
    for (const partition of this.#ready) {
      if (this.#isClosed || partition.pause !== undefined || !partition.queue.canSend) continue
      const { connection } = partition
      if (!connection?.isOpen) {
        void this.#connect(partition)
      } else {
        const group = byConnection.get(connection)
        if (group === undefined) byConnection.set(connection, [partition])
        else group.push(partition)
      }
    }
    this.#ready.clear()
    for (const [connection, partitions] of byConnection) this.#sendAll(connection, partitions)
  }

  /** Sends requests until no batch may be sent; Kafka allows one batch per partition in each. */
  #sendAll(connection: KafkaConnection, partitions: readonly Partition[]): void {
    for (;;) {
      const round: Sent[] = []
      let bytes = 0
      for (const partition of partitions) {
        if (bytes >= maxRequestBytes) break
        const batch = partition.queue.next()
        if (batch === undefined) continue
        round.push({ partition, batch })
        bytes += batch.bytes.length
      }
      if (round.length === 0) return
      void this.#produce(connection, round)
    }
  }

  async #produce(connection: KafkaConnection, round: readonly Sent[]): Promise<void> {
    let answer: ResponseOf<typeof produce>
    try {
      const request = {
        acks: this.#options.acks,
        timeoutMs: this.#cluster.requestTimeoutMs,
        topicData: topicData(round),
      }
      answer = await connection.send(produce, request, { version: produceVersion })
    } catch (error) {
      for (const sent of round) this.#unanswered(sent, error as Error)
      return
    }
    for (const sent of round) this.#answered(sent, answerFor(answer, sent.partition))
  }

  #answered({ partition, batch }: Sent, answer: PartitionAnswer | undefined): void {
    if (answer === undefined) {
      const place = `${partition.topic}-${partition.index}`
      const error = new ClientError(
        'MALFORMED_RESPONSE',
        `Produce response without partition ${place}`,
      )
      this.#settle({ partition, batch }, 'rejected', error)
      return
    }
    const { errorCode, baseOffset } = answer
    const verdict = partition.queue.judge(batch, errorCode)
    if (verdict === 'acknowledged') {
      partition.backoff.succeeded()
      this.#queuedBytes -= batch.bytes.length
      const duplicate = errorCode === ErrorCode.duplicateSequenceNumber
      batch.resolve({ baseOffset, duplicate })
    }
    if (saysStale(errorCode)) this.#cluster.invalidate(partition.topic)
    const detail = answer.errorMessage ?? `${partition.topic}-${partition.index}`
    this.#settle({ partition, batch }, verdict, new KafkaError(errorCode, detail))
  }

  #unanswered(sent: Sent, error: Error): void {
    const full = error instanceof ClientError && error.code === 'TOO_MANY_REQUESTS'
    const verdict = full || isRetriableFailure(error) ? 'again' : 'rejected'
    this.#cluster.invalidate(sent.partition.topic)
    this.#settle(sent, verdict, error)
  }

  #settle({ partition, batch }: Sent, verdict: Verdict, error: Error): void {
    if (verdict === 'rejected') this.#reject(batch, error)
    // The leader may have changed: the next attempt looks it up.
    if (verdict === 'again') partition.connection = undefined
    const isPaused = partition.queue.settle(batch, verdict)
    if (this.#isClosed) {
      for (const waiting of partition.queue.takeWaiting()) this.#reject(waiting, closed())
    } else if (isPaused) {
      this.#pause(partition, error)
    } else {
      this.#wake(partition)
    }
  }

  #pause(partition: Partition, reason: Error): void {
    const { queue, backoff } = partition
    partition.pause = this.#clock.setTimer(backoff.failed(), () => {
      partition.pause = undefined
      for (const batch of queue.expire(this.#clock.monotonicMs())) {
        this.#reject(batch, late(partition, this.#options.deliveryTimeoutMs, reason))
      }
      queue.resume()
      this.#wake(partition)
    })
  }

  async #connect(partition: Partition): Promise<void> {
    if (partition.isConnecting) return
    partition.isConnecting = true
    try {
      partition.connection = await this.#cluster.leader(partition.topic, partition.index)
      partition.isConnecting = false
      this.#wake(partition)
    } catch (error) {
      partition.isConnecting = false
      assert(error instanceof Error, 'a rejection is an Error')
      this.#notConnected(partition, error)
    }
  }

  #notConnected(partition: Partition, error: Error): void {
    if (isRetriableFailure(error) && !this.#isClosed) {
      // If batches are in flight, the connection has just broken, and their failures start the
      // pause.
      if (partition.pause === undefined && partition.queue.isIdle) this.#pause(partition, error)
      return
    }
    for (const batch of partition.queue.takeWaiting()) this.#reject(batch, error)
  }

  #reject(batch: PendingBatch, error: Error): void {
    this.#queuedBytes -= batch.bytes.length
    batch.reject(error)
  }
}

function topicData(round: readonly Sent[]) {
  const topics = new Map<string, { index: number; records: Buffer }[]>()
  for (const { partition, batch } of round) {
    const data = { index: partition.index, records: batch.bytes }
    const known = topics.get(partition.topic)
    if (known === undefined) topics.set(partition.topic, [data])
    else known.push(data)
  }
  return [...topics].map(([name, partitionData]) => ({ name, partitionData }))
}

function answerFor(
  answer: ResponseOf<typeof produce>,
  { topic, index }: Partition,
): PartitionAnswer | undefined {
  const found = answer.responses.find((response) => response.name === topic)
  return found?.partitionResponses.find((response) => response.index === index)
}

function closed(): ClientError {
  return new ClientError('CLIENT_CLOSED', 'the batch sender was closed before the batch was stored')
}

function full(maxQueuedBytes: number): ClientError {
  return new ClientError(
    'TOO_MANY_REQUESTS',
    `cannot queue a batch: the limit of ${maxQueuedBytes} unacknowledged bytes is reached; await earlier sends first`,
  )
}

function late(partition: Partition, timeoutMs: number, reason: Error): ClientError {
  return new ClientError(
    'DELIVERY_TIMEOUT',
    `a batch for ${partition.topic}-${partition.index} was not acknowledged within ${timeoutMs} ms (${reason.message}); it may have been stored`,
    reason,
  )
}
