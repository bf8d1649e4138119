// The driver of one partition's transaction coordinator (transactionCoordinator.ts, which states
// the contract) under one leader epoch: gives it the time, writes its records and markers, and
// answers its requests. Decides nothing. Markers carry the leader epoch as their coordinator epoch,
// so that partitions refuse the markers of a coordinator that was deposed.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
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

export interface TransactionShardDependencies {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly log: Pick<TransactionLog, 'append'>
  readonly markers: Pick<TransactionMarkers, 'write'>
  /** Reserves a producer id that was never given out. */
  readonly nextProducerId: () => Promise<number>
  readonly limits: TransactionLimits
  /** Whether the shards of this broker have the maximum number of transactional ids. */
  readonly isFull: () => boolean
}

/** Delay between attempts to end a transaction, in ms. */
const resumeDelayMs = 1000

/** Results of a marker after which nothing is left to end in the partition. */
const needsNoMarker: ReadonlySet<number> = new Set([
  ErrorCode.none,
  // The partition was deleted, with the records of the transaction.
  ErrorCode.unknownTopicOrPartition,
  // A later epoch of the producer, or a later coordinator, has ended the transaction there.
  ErrorCode.invalidProducerEpoch,
  ErrorCode.transactionCoordinatorFenced,
])

export class TransactionShard implements CoordinatorShard {
  readonly leadership: CoordinatorLeadership
  readonly coordinator: TransactionCoordinator
  readonly #dependencies: TransactionShardDependencies
  readonly #additions: PartitionAdditions
  readonly #waiting = new WaitingRequests()
  /** Appends, markers and allocations in flight. */
  readonly #work = new Set<Promise<void>>()
  readonly #timers = new Set<Timer>()
  /**
   * Markers whose failure was logged, until they are written: logged once, because a data directory
   * may stay offline for hours.
   */
  readonly #reported = new Set<string>()
  #state: 'loading' | 'active' | 'closed' | 'resigned' = 'loading'

  constructor(leadership: CoordinatorLeadership, dependencies: TransactionShardDependencies) {
    this.leadership = leadership
    this.#dependencies = dependencies
    this.coordinator = new TransactionCoordinator(dependencies.limits, dependencies.isFull)
    this.#additions = new PartitionAdditions(
      dependencies.clock,
      dependencies.scheduler,
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

  /** Continues the transactions whose end was decided under an earlier epoch. */
  activate(): void {
    this.#state = 'active'
    this.handle({ type: 'loaded' })
  }

  handle(event: TransactionEvent): void {
    for (const effect of this.coordinator.handle(this.#dependencies.clock.nowMs(), event)) {
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

  /** Refuses waiting requests. Steps in progress become durable and are answered. */
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
    const { nextProducerId, logger } = this.#dependencies
    const producerId = await nextProducerId().catch((error: unknown) => {
      logger.error({ error }, 'failed to reserve a producer id; the client is asked to retry')
      return undefined
    })
    this.#report({ type: 'allocated', stepId, producerId })
  }

  async #append(stepId: number, record: TransactionRecord): Promise<void> {
    const { log, logger } = this.#dependencies
    const { transactionalId } = record
    const errorCode = await log.append(this.leadership, record).catch((error: unknown) => {
      logger.error(
        { error, transactionalId },
        'failed to write the state of a transaction; its client finds the coordinator again and retries',
      )
      return ErrorCode.coordinatorNotAvailable
    })
    this.#report({ type: 'appended', stepId, errorCode })
  }

  async #writeMarkers({
    transactionalId,
    marker,
    partitions,
  }: Extract<TransactionEffect, { type: 'writeMarkers' }>): Promise<void> {
    const { markers, logger } = this.#dependencies
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
        'failed to write a transaction marker; retrying until it is written',
      )
    })
    await Promise.all(writes)
    this.#report({ type: 'markersWritten', transactionalId, missing: PartitionSet.of(missing) })
  }

  /**
   * Reports the result of work in flight to the coordinator. Dropped after a resignation, when
   * another coordinator has taken over.
   */
  #report(event: TransactionEvent): void {
    if (this.#state !== 'resigned') this.handle(event)
  }

  #resumeLater(transactionalId: string): void {
    if (this.#state !== 'active') return
    const timer = this.#dependencies.clock.setTimer(resumeDelayMs, () => {
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
