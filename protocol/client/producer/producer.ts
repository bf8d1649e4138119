// Produces single records: collects them into a batch per partition, which BatchSender delivers.
// With acks=-1, the records of a partition are stored once and in the order of the calls. Memory is
// bounded: `send` waits, in order, while it is full. Encoded batches are sent with BatchSender
// directly.

import { Compression } from '../../bytes/compression.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { RecordBatch } from '../../kafka/records/recordBatch.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { ClientError } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { BatchSender } from './batchSender.ts'
import { initProducerId, type ProducerIdentity } from './initProducerId.ts'
import { partitionForKey, StickyPartitioner } from './partitioner.ts'
import {
  ProducerBatch,
  type ProducerRecord,
  type RecordCallbacks,
  recordBytes,
  type StoredRecord,
} from './producerBatch.ts'
import { ProducerSequences } from './producerSequences.ts'

export type { ProducerRecord, StoredRecord } from './producerBatch.ts'

export interface ProducerOptions {
  /**
   * How long a batch waits for more records, in ms. 0: until the current turn of the event loop
   * ends.
   */
  readonly lingerMs?: number
  /** Approximate size of a full batch before compression, in bytes. */
  readonly batchBytes?: number
  readonly compression?: Compression
  /**
   * -1: all in-sync replicas, exactly once. 1: the leader, where a retry may store a record twice.
   */
  readonly acks?: -1 | 1
  readonly deliveryTimeoutMs?: number
  readonly maxBufferedBytes?: number
}

interface WaitingRecord extends RecordCallbacks {
  readonly kind: 'record'
  readonly topic: string
  readonly record: ProducerRecord
}

interface WaitingFlush {
  readonly kind: 'flush'
  readonly done: PromiseWithResolvers<void>
}

/** Limit on the records and flushes that wait for memory or metadata. */
const maxWaiting = 100_000

export class Producer {
  readonly #cluster: Cluster
  readonly #clock: Runtime['clock']
  readonly #options: Required<ProducerOptions>
  readonly #sender: BatchSender
  readonly #sticky: StickyPartitioner
  /** Undefined for a producer without idempotence (acks=1). */
  readonly #sequences: ProducerSequences | undefined
  readonly #partitionCounts = new Map<string, number>()
  /** Records and flushes that wait for memory or metadata, in the order of the calls. */
  readonly #waiting: (WaitingRecord | WaitingFlush)[] = []
  /** Batches being filled, by topic and partition. */
  readonly #open = new Map<string, ProducerBatch>()
  /** Complete batches that wait for a producer id. */
  #ready: ProducerBatch[] = []
  /** Batches rejected for a sequence gap before them; sent first in the next epoch. */
  #again: ProducerBatch[] = []
  readonly #unsettled = new Set<ProducerBatch>()
  #bufferedBytes = 0
  #isLookingUp = false
  #isBeginning = false
  #isClosed = false

  constructor(
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    options: ProducerOptions = {},
  ) {
    this.#cluster = cluster
    this.#clock = runtime.clock
    this.#options = {
      lingerMs: 5,
      batchBytes: 128 * 1024,
      compression: Compression.none,
      acks: -1,
      deliveryTimeoutMs: 120_000,
      maxBufferedBytes: 32 * 1024 * 1024,
      ...options,
    }
    const { acks, deliveryTimeoutMs } = this.#options
    this.#sender = new BatchSender(cluster, runtime.clock, {
      acks,
      deliveryTimeoutMs,
      maxInFlight: 5,
    })
    this.#sticky = new StickyPartitioner(runtime.random)
    this.#sequences = acks === -1 ? new ProducerSequences() : undefined
  }

  /** Approximate memory of the records that are not stored yet, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Resolves when the record is stored. The bytes of the record must not change until the promise
   * settles. Fails with KafkaError, NetworkError or ClientError (DELIVERY_TIMEOUT,
   * RECORD_TOO_LARGE, TOO_MANY_REQUESTS, CLIENT_CLOSED).
   */
  send(topic: string, record: ProducerRecord): Promise<StoredRecord> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(record)
      if (refusal !== undefined) return reject(refusal)
      this.#waiting.push({ kind: 'record', topic, record, resolve, reject })
      this.#drain()
    })
  }

  /** Resolves when all records of earlier `send` calls are stored or have failed. */
  flush(): Promise<void> {
    const last = this.#waiting.at(-1)
    // Shared, so that flushes without records between them do not make the line longer.
    if (last?.kind === 'flush') return last.done.promise
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ kind: 'flush', done })
    this.#drain()
    return done.promise
  }

  /** Refuses new records and flushes pending ones. The cluster stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
    this.#sender.close()
  }

  /**
   * Drops the cached partition count of the topic, which may have grown; the next record looks it
   * up.
   */
  forget(topic: string): void {
    this.#partitionCounts.delete(topic)
    this.#cluster.invalidate(topic)
  }

  #refusal(record: ProducerRecord): ClientError | undefined {
    if (this.#isClosed) return new ClientError('CLIENT_CLOSED', 'this producer was closed')
    const { maxBufferedBytes } = this.#options
    if (recordBytes(record) > maxBufferedBytes) {
      const message = `a record of ${recordBytes(record)} bytes exceeds maxBufferedBytes (${maxBufferedBytes}): raise that option`
      return new ClientError('RECORD_TOO_LARGE', message)
    }
    if (this.#waiting.length < maxWaiting) return undefined
    const message = `cannot queue a record: ${maxWaiting} are waiting for memory; await earlier sends first`
    return new ClientError('TOO_MANY_REQUESTS', message)
  }

  /** Processes waiting records and flushes, in order, while metadata and memory are available. */
  #drain(): void {
    let taken = 0
    for (; taken < this.#waiting.length; taken++) {
      const next = this.#waiting[taken]!
      if (next.kind === 'flush') {
        this.#flushed().then(next.done.resolve)
        continue
      }
      const count = this.#partitionCounts.get(next.topic)
      if (count === undefined) {
        void this.#lookUp(next.topic)
        break
      }
      if (!this.#makeRoom(recordBytes(next.record))) break
      this.#append(next, count)
    }
    this.#waiting.splice(0, taken)
  }

  async #flushed(): Promise<void> {
    for (const batch of [...this.#open.values()]) this.#closeBatch(batch)
    await Promise.all([...this.#unsettled].map(({ done }) => done.promise))
  }

  async #lookUp(topic: string): Promise<void> {
    if (this.#isLookingUp) return
    this.#isLookingUp = true
    try {
      const { deliveryTimeoutMs } = this.#options
      const ask = () => this.#cluster.partitionCount(topic)
      this.#partitionCounts.set(topic, await this.#cluster.retrying(deliveryTimeoutMs, ask))
    } catch (error) {
      const first = this.#waiting.shift()
      if (first?.kind === 'record') first.reject(error as Error)
    } finally {
      this.#isLookingUp = false
      this.#drain()
    }
  }

  /**
   * Whether memory for the record is free; otherwise completes all batches, to free memory early.
   */
  #makeRoom(bytes: number): boolean {
    if (this.#bufferedBytes + bytes <= this.#options.maxBufferedBytes) return true
    for (const batch of [...this.#open.values()]) this.#closeBatch(batch)
    return false
  }

  #append(waiting: WaitingRecord, partitionCount: number): void {
    const { topic, record } = waiting
    const partition = this.#choosePartition(topic, record, partitionCount)
    if (partition < 0 || partition >= partitionCount) {
      const place = `${topic}-${partition}: there are ${partitionCount} partitions`
      waiting.reject(new KafkaError(ErrorCode.unknownTopicOrPartition, place))
      return
    }
    const batch = this.#batchFor(topic, partition, recordBytes(record))
    batch.add(record, this.#clock.nowMs(), waiting)
    this.#bufferedBytes += recordBytes(record)
    const isAlone = this.#cluster.runtime.rarePoints?.isForced('batch of one record')
    if (isAlone || batch.sizeInBytes >= this.#options.batchBytes) this.#closeBatch(batch)
  }

  #choosePartition(topic: string, { partition, key }: ProducerRecord, count: number): number {
    if (partition !== undefined) return partition
    if (key !== undefined && key !== null) return partitionForKey(key, count)
    return this.#sticky.partition(topic, count)
  }

  #batchFor(topic: string, partition: number, bytes: number): ProducerBatch {
    const key = `${topic}/${partition}`
    const open = this.#open.get(key)
    if (open !== undefined) {
      if (open.sizeInBytes + bytes <= this.#options.batchBytes) return open
      this.#closeBatch(open)
    }
    const batch = new ProducerBatch(topic, partition, this.#options.compression)
    this.#open.set(key, batch)
    this.#unsettled.add(batch)
    const { lingerMs } = this.#options
    if (lingerMs > 0) {
      batch.linger = this.#clock.setTimer(lingerMs, () => this.#closeBatch(batch))
    } else {
      this.#cluster.runtime.scheduler.soon(() => this.#closeBatch(batch))
    }
    return batch
  }

  #closeBatch(batch: ProducerBatch): void {
    const key = `${batch.topic}/${batch.partition}`
    if (this.#open.get(key) !== batch) return
    this.#open.delete(key)
    batch.linger?.cancel()
    this.#sticky.batchClosed(batch.topic, batch.partition)
    this.#ready.push(batch)
    this.#dispatch()
  }

  #dispatch(): void {
    const sequences = this.#sequences
    if (sequences?.needsIdentity) {
      void this.#begin(sequences)
      return
    }
    while (this.#ready.length > 0) {
      const batch = this.#ready[0]!
      const bytes = batch.encoded()
      if (sequences !== undefined) {
        const identity = sequences.assign(batch.topic, batch.partition, batch.recordCount)
        if (identity === undefined) return
        const { producerId, producerEpoch, baseSequence } = identity
        new RecordBatch(bytes).setProducer(producerId, producerEpoch, baseSequence)
      }
      this.#ready.shift()
      void this.#deliver(batch, bytes)
    }
  }

  async #deliver(batch: ProducerBatch, bytes: Buffer): Promise<void> {
    let failure: Error | undefined
    try {
      const { baseOffset } = await this.#sender.send(batch.topic, batch.partition, bytes)
      this.#release(batch)
      batch.stored(baseOffset)
    } catch (error) {
      failure = error as Error
    }
    // A batch rejected for a gap before it was not stored: it is sent again in the next epoch.
    const isAgain = failure !== undefined && this.#sequences?.isBroken && isOutOfOrder(failure)
    this.#sequences?.settled(failure === undefined ? 'stored' : 'failed')
    if (isAgain) {
      this.#again.push(batch)
    } else if (failure !== undefined) {
      this.#release(batch)
      batch.failed(failure)
    }
    this.#dispatch()
    this.#drain()
  }

  async #begin(sequences: ProducerSequences): Promise<void> {
    if (this.#isBeginning) return
    this.#isBeginning = true
    // Rejected batches keep their order and precede batches completed since.
    this.#ready = [...this.#again, ...this.#ready]
    this.#again = []
    if (this.#ready.length === 0) {
      this.#isBeginning = false
      return
    }
    try {
      // Never within the call: it may be about to take the record of a batch from the waiting ones.
      sequences.begin(await this.#nextIdentity(sequences))
    } catch (error) {
      for (const batch of this.#ready.splice(0)) {
        this.#release(batch)
        batch.failed(error as Error)
      }
    }
    this.#isBeginning = false
    if (this.#ready.length > 0) this.#dispatch()
    this.#drain()
  }

  async #nextIdentity({ nextEpoch }: ProducerSequences): Promise<ProducerIdentity> {
    return nextEpoch ?? (await initProducerId(this.#cluster, this.#options.deliveryTimeoutMs))
  }

  #release(batch: ProducerBatch): void {
    this.#unsettled.delete(batch)
    this.#bufferedBytes -= batch.memoryBytes
  }
}

function isOutOfOrder(error: Error): boolean {
  return error instanceof KafkaError && error.errorCode === ErrorCode.outOfOrderSequenceNumber
}
