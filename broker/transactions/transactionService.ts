// The shell around transactionCoordinator.ts: gives it the time, writes what it wants written, and
// answers those who wait. It decides nothing.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import { stallTolerant } from '../../protocol/runtime/stallTolerantClock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { WaitingRequests } from '../waitingRequests.ts'
import type { EndTxnRequest } from './endTxnRules.ts'
import { PartitionAdditions } from './partitionAdditions.ts'
import { PartitionSet, type TopicPartition } from './partitionSet.ts'
import type { InitProducerIdRequest } from './producerRules.ts'
import {
  TransactionCoordinator,
  type TransactionEffect,
  type TransactionLimits,
  type TransactionMarker,
} from './transactionCoordinator.ts'
import type { TransactionRecord } from './transactionLogRecords.ts'
import type { TransactionMarkers } from './transactionMarkers.ts'
import type { ClientTransactionVersion, TransactionMetadata } from './transactionMetadata.ts'
import { failed, type TransactionOutcome } from './transactionOutcome.ts'
import type { ProducerIdentity, TransactionVerifier } from './transactionVerifier.ts'

/** Where the records of transactional ids are kept. */
export interface TransactionLog {
  load(visit: (record: TransactionRecord) => void): Promise<void>
  /** Resolves with a Kafka error code when durable. Appends of one id keep their order. */
  append(record: TransactionRecord): Promise<number>
}

export interface TransactionServiceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: TransactionLog
  readonly markers: Pick<TransactionMarkers, 'write'>
  /** Of the coordinator's leadership: markers of an older one are refused. */
  readonly coordinatorEpoch: number
  /** A producer id that nobody has had. */
  readonly nextProducerId: () => Promise<number>
  readonly limits: TransactionLimits
  /** transaction.abort.timed.out.transaction.cleanup.interval.ms */
  readonly abortIntervalMs: number
  /** transaction.remove.expired.transaction.cleanup.interval.ms */
  readonly expiryIntervalMs: number
}

/** How long after a failure to end a transaction it is tried again. */
const resumeDelayMs = 1000

/** Errors of a marker for which there is nothing left to be ended in the partition. */
const needsNoMarker: ReadonlySet<number> = new Set([
  ErrorCode.none,
  // Deleted, and with it what the transaction wrote there.
  ErrorCode.unknownTopicOrPartition,
  // A later epoch of the producer, or a later coordinator, has ended the transaction there.
  ErrorCode.invalidProducerEpoch,
  ErrorCode.transactionCoordinatorFenced,
])

export class TransactionService implements TransactionVerifier {
  readonly #options: TransactionServiceOptions
  readonly #deadlineClock: Clock
  readonly #coordinator: TransactionCoordinator
  readonly #additions: PartitionAdditions
  readonly #waiting = new WaitingRequests()
  readonly #work = new Set<Promise<void>>()
  readonly #timers = new Set<Timer>()
  /** Markers whose failure was logged, until they are written: a failed data directory may take hours. */
  readonly #reported = new Set<string>()
  #closed = false

  private constructor(options: TransactionServiceOptions) {
    this.#options = options
    this.#deadlineClock = stallTolerant(options.clock)
    this.#coordinator = new TransactionCoordinator(options.limits)
    this.#additions = new PartitionAdditions(options.clock, (producer, partitions, version) =>
      this.#addPartitions(producer, partitions, version),
    )
  }

  /** Replays the log. Nothing is written before `start`. */
  static async open(options: TransactionServiceOptions): Promise<TransactionService> {
    const service = new TransactionService(options)
    await options.log.load((record) => service.#coordinator.restore(record))
    return service
  }

  /** Goes on with the transactions whose end a crash has interrupted, and begins to watch the time. */
  start(): void {
    this.#coordinator.start(this.#nowMs)
    this.#perform()
    const { abortIntervalMs, expiryIntervalMs } = this.#options
    this.#every(abortIntervalMs, () => this.#coordinator.abortTimedOut(this.#nowMs))
    this.#every(expiryIntervalMs, () => this.#coordinator.removeExpired(this.#nowMs))
  }

  initProducerId(
    transactionalId: string,
    request: InitProducerIdRequest,
  ): Promise<TransactionOutcome> {
    return this.#request((id, nowMs) =>
      this.#coordinator.initProducerId(nowMs, id, transactionalId, request),
    )
  }

  /** An error code for all of the partitions, when they are durably part of the transaction. */
  addPartitions(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    if (this.#closed) return Promise.resolve(ErrorCode.notCoordinator)
    return this.#additions.add(producer, partitions, version)
  }

  /** Writes a marker that another coordinator, or a person, asks for. Answers with an error code. */
  writeMarker(
    partition: TopicPartition,
    marker: TransactionMarker,
    coordinatorEpoch: number,
  ): Promise<number> {
    return this.#options.markers.write(partition, marker, coordinatorEpoch)
  }

  /** An error code for each partition: whether it is part of the producer's open transaction. */
  verifyPartitions(producer: ProducerIdentity, partitions: readonly TopicPartition[]): number[] {
    return this.#coordinator.verifyPartitions(producer, partitions)
  }

  verify(
    producer: ProducerIdentity,
    topic: string,
    partition: number,
    addMissing: boolean,
  ): Promise<number> {
    const partitions = [{ topic, partition }]
    if (addMissing) return this.addPartitions(producer, partitions, 2)
    return Promise.resolve(this.verifyPartitions(producer, partitions)[0]!)
  }

  /** Answered when the end is decided, durably; its markers follow. */
  endTxn(transactionalId: string, request: EndTxnRequest): Promise<TransactionOutcome> {
    return this.#request((id, nowMs) =>
      this.#coordinator.endTxn(nowMs, id, transactionalId, request),
    )
  }

  describe(transactionalId: string): TransactionMetadata | undefined {
    return this.#coordinator.describe(transactionalId)
  }

  transactions(): Iterable<{ transactionalId: string; metadata: TransactionMetadata }> {
    return this.#coordinator.transactions()
  }

  /** What became of transactions since the start. */
  get ended(): Readonly<TransactionCoordinator['ended']> {
    return this.#coordinator.ended
  }

  /** Refuses everyone who waits for a turn, and lets what is under way become durable. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#additions.close()
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs()
  }

  async #addPartitions(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    const { errorCode } = await this.#request((id, nowMs) =>
      this.#coordinator.addPartitions(nowMs, id, producer, partitions, version),
    )
    return errorCode
  }

  #request(send: (requestId: number, nowMs: number) => void): Promise<TransactionOutcome> {
    if (this.#closed) return Promise.resolve(failed(ErrorCode.notCoordinator))
    return this.#waiting.ask((requestId) => {
      send(requestId, this.#nowMs)
      this.#perform()
    })
  }

  #perform(): void {
    for (const effect of this.#coordinator.takeEffects()) this.#performOne(effect)
  }

  #performOne(effect: TransactionEffect): void {
    switch (effect.type) {
      case 'answer':
        this.#waiting.answer(effect.requestId, effect.outcome)
        break
      case 'allocate':
        this.#track(this.#allocate(effect.allocationId))
        break
      case 'append':
        this.#track(this.#append(effect.appendId, effect.record))
        break
      case 'writeMarkers':
        this.#track(this.#writeMarkers(effect))
        break
      case 'resumeLater': {
        const { transactionalId } = effect
        this.#after(resumeDelayMs, () => this.#coordinator.resume(this.#nowMs, transactionalId))
        break
      }
      case 'settled':
        this.#additions.settled(effect.transactionalId)
    }
  }

  async #allocate(allocationId: number): Promise<void> {
    const producerId = await this.#options.nextProducerId().catch((error: unknown) => {
      this.#options.logger.error({ error }, 'no producer id could be reserved')
      return undefined
    })
    this.#coordinator.allocated(this.#nowMs, allocationId, producerId)
    this.#perform()
  }

  async #append(appendId: number, record: TransactionRecord): Promise<void> {
    const { transactionalId } = record
    const errorCode = await this.#options.log.append(record).catch((error: unknown) => {
      this.#options.logger.error({ error, transactionalId }, 'a transaction could not be recorded')
      return ErrorCode.coordinatorNotAvailable
    })
    this.#coordinator.appended(this.#nowMs, appendId, errorCode)
    this.#perform()
  }

  async #writeMarkers({
    transactionalId,
    marker,
    partitions,
  }: Extract<TransactionEffect, { type: 'writeMarkers' }>): Promise<void> {
    const { markers, coordinatorEpoch, logger } = this.#options
    const missing: TopicPartition[] = []
    const writes = [...partitions].map(async (partition) => {
      const errorCode = await markers.write(partition, marker, coordinatorEpoch)
      const key = `${transactionalId} ${partition.topic}-${partition.partition}`
      if (needsNoMarker.has(errorCode)) {
        this.#reported.delete(key)
        return
      }
      missing.push(partition)
      if (this.#reported.has(key)) return
      this.#reported.add(key)
      logger.warn(
        { transactionalId, ...partition, errorCode },
        'a transaction marker could not be written; retrying',
      )
    })
    await Promise.all(writes)
    this.#coordinator.markersWritten(this.#nowMs, transactionalId, PartitionSet.of(missing))
    this.#perform()
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    work.finally(() => this.#work.delete(work))
  }

  /** After a stall of the process, what clients have sent meanwhile goes first. */
  #every(intervalMs: number, act: () => void): void {
    const again = () => {
      act()
      this.#every(intervalMs, act)
    }
    this.#after(intervalMs, again, this.#deadlineClock)
  }

  #after(delayMs: number, act: () => void, clock = this.#options.clock): void {
    if (this.#closed) return
    const timer = clock.setTimer(delayMs, () => {
      this.#timers.delete(timer)
      act()
      this.#perform()
    })
    this.#timers.add(timer)
  }
}
