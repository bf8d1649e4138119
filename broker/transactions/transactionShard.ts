// The transaction coordinator of one partition of __transaction_state: drives the state machine
// (transactionCoordinator.ts, which states the contract) under one leader epoch. Gives it the time,
// writes its records and markers, and answers its requests. Decides nothing. Markers carry the
// leader epoch as their coordinator epoch, so that partitions refuse those of a coordinator that
// was deposed.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Scheduler } from '../../protocol/runtime/scheduler.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { CoordinatorShard } from '../coordinators/coordinatorRuntime.ts'
import type { CoordinatorLeadership } from '../coordinators/coordinatorTopic.ts'
import { WaitingRequests } from '../coordinators/waitingRequests.ts'
import { PartitionAdditions } from './partitionAdditions.ts'
import { PartitionSet } from './partitionSet.ts'
import { TransactionCoordinator, type TransactionLimits } from './transactionCoordinator.ts'
import type { TransactionEffect, TransactionEvent } from './transactionEvents.ts'
import type { TransactionRecord } from './transactionLogRecords.ts'
import type { TransactionMarkers } from './transactionMarkers.ts'
import type { ClientTransactionVersion } from './transactionMetadata.ts'
import { failed, type TransactionOutcome } from './transactionOutcome.ts'
import type { TransactionLog } from './transactionStateTopic.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

export interface TransactionShardParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly log: Pick<TransactionLog, 'append'>
  readonly markers: Pick<TransactionMarkers, 'write'>
  /** Reserves a producer id that was never given out. */
  readonly nextProducerId: () => Promise<number>
  readonly limits: TransactionLimits
  /** The shards of this broker hold as many transactional ids as they may. */
  readonly isFull: () => boolean
}

/** How long after a failure the end of a transaction is retried. */
const resumeDelayMs = 1000

/** Errors of a marker after which nothing is left to be ended in the partition. */
const needsNoMarker: ReadonlySet<number> = new Set([
  ErrorCode.none,
  // The partition was deleted, and with it what the transaction wrote there.
  ErrorCode.unknownTopicOrPartition,
  // A later epoch of the producer, or a later coordinator, has ended the transaction there.
  ErrorCode.invalidProducerEpoch,
  ErrorCode.transactionCoordinatorFenced,
])

export class TransactionShard implements CoordinatorShard {
  readonly leadership: CoordinatorLeadership
  readonly coordinator: TransactionCoordinator
  readonly #parts: TransactionShardParts
  readonly #additions: PartitionAdditions
  readonly #waiting = new WaitingRequests()
  /** Appends, markers and allocations in flight. */
  readonly #work = new Set<Promise<void>>()
  readonly #timers = new Set<Timer>()
  /**
   * Markers whose failure was logged, until they are written: a failed data directory may take
   * hours.
   */
  readonly #reported = new Set<string>()
  #state: 'loading' | 'active' | 'closed' | 'resigned' = 'loading'

  constructor(leadership: CoordinatorLeadership, parts: TransactionShardParts) {
    this.leadership = leadership
    this.#parts = parts
    this.coordinator = new TransactionCoordinator(parts.limits, parts.isFull)
    this.#additions = new PartitionAdditions(
      parts.clock,
      parts.scheduler,
      (producer, partitions, version) => this.#addPartitions(producer, partitions, version),
    )
  }

  get leaderEpoch(): number {
    return this.leadership.leaderEpoch
  }

  /** Requests that are not answered yet; those to add partitions may wait for their turn. */
  get waitingRequests(): number {
    return this.#waiting.size + this.#additions.waiting
  }

  /** Appends, markers and allocations of producer ids in flight. */
  get pendingWrites(): number {
    return this.#work.size
  }

  restore(record: TransactionRecord): void {
    this.coordinator.restore(record)
  }

  /** Goes on with the transactions whose end was decided under an earlier epoch. */
  activate(): void {
    this.#state = 'active'
    this.handle({ type: 'loaded' })
  }

  handle(event: TransactionEvent): void {
    for (const effect of this.coordinator.handle(this.#parts.clock.nowMs(), event)) {
      this.#perform(effect)
    }
  }

  request(eventOf: (requestId: number) => TransactionEvent): Promise<TransactionOutcome> {
    if (this.#state !== 'active') return Promise.resolve(failed(ErrorCode.notCoordinator))
    return this.#waiting.ask(failed, (requestId) => this.handle(eventOf(requestId)))
  }

  addPartitions(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    if (this.#state !== 'active') return Promise.resolve(ErrorCode.notCoordinator)
    return this.#additions.add(producer, partitions, version)
  }

  resign(): void {
    this.#state = 'resigned'
    this.#cancelTimers()
    this.#additions.close(ErrorCode.notCoordinator)
    this.#waiting.refuseAll(ErrorCode.notCoordinator)
  }

  /** Refuses requests that wait for their turn; steps in flight become durable and are answered. */
  close(): void {
    this.#state = 'closed'
    this.#cancelTimers()
    this.#additions.close(ErrorCode.concurrentTransactions)
  }

  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  async #addPartitions(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    const { errorCode } = await this.request((requestId) => ({
      ...{ type: 'addPartitions', requestId, producer, partitions, version },
    }))
    return errorCode
  }

  #perform(effect: TransactionEffect): void {
    switch (effect.type) {
      case 'answer':
        this.#waiting.answer(effect.requestId, effect.outcome)
        break
      case 'allocate':
        this.#track(this.#allocate(effect.stepId))
        break
      case 'append':
        this.#track(this.#append(effect.stepId, effect.record))
        break
      case 'writeMarkers':
        this.#track(this.#writeMarkers(effect))
        break
      case 'resumeLater':
        this.#resumeLater(effect.transactionalId)
        break
      case 'settled':
        this.#additions.settled(effect.transactionalId)
    }
  }

  async #allocate(stepId: number): Promise<void> {
    const { nextProducerId, logger } = this.#parts
    const producerId = await nextProducerId().catch((error: unknown) => {
      logger.error({ error }, 'no producer id could be reserved')
      return undefined
    })
    this.#report({ type: 'allocated', stepId, producerId })
  }

  async #append(stepId: number, record: TransactionRecord): Promise<void> {
    const { log, logger } = this.#parts
    const { transactionalId } = record
    const errorCode = await log.append(this.leadership, record).catch((error: unknown) => {
      logger.error({ error, transactionalId }, 'a transaction could not be recorded')
      return ErrorCode.coordinatorNotAvailable
    })
    this.#report({ type: 'appended', stepId, errorCode })
  }

  async #writeMarkers({
    transactionalId,
    marker,
    partitions,
  }: Extract<TransactionEffect, { type: 'writeMarkers' }>): Promise<void> {
    const { markers, logger } = this.#parts
    const missing: TopicPartition[] = []
    const writes = [...partitions].map(async (partition) => {
      const errorCode = await markers.write(partition, marker, this.leaderEpoch)
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
    this.#report({ type: 'markersWritten', transactionalId, missing: PartitionSet.of(missing) })
  }

  /**
   * What became of work in flight; dropped after a resignation, since another coordinator has taken
   * over.
   */
  #report(event: TransactionEvent): void {
    if (this.#state !== 'resigned') this.handle(event)
  }

  #resumeLater(transactionalId: string): void {
    if (this.#state !== 'active') return
    const timer = this.#parts.clock.setTimer(resumeDelayMs, () => {
      this.#timers.delete(timer)
      this.handle({ type: 'resumed', transactionalId })
    })
    this.#timers.add(timer)
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    work.finally(() => this.#work.delete(work))
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
