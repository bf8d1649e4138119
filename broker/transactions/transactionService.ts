// The transaction coordinators of this broker: routes a request to the shard of its transactional
// id's partition, and loads and resigns shards as the leadership of __transaction_state moves.
// Decides nothing about transactions. Refuses ids that are coordinated elsewhere with
// NOT_COORDINATOR, and ids whose partition is being loaded with COORDINATOR_LOAD_IN_PROGRESS.

import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import { type Clock, sleep, type Timer } from '../../protocol/runtime/time/clock.ts'
import { stallTolerant } from '../../protocol/runtime/time/stallTolerantClock.ts'
import { type CoordinatorQueues, queuesOf } from '../coordinators/coordinatorQueues.ts'
import { CoordinatorRuntime } from '../coordinators/coordinatorRuntime.ts'
import type { EndTxnRequest } from './endTxnRules.ts'
import type { InitProducerIdRequest } from './producerRules.ts'
import type { EndedTransactions } from './transactionCoordinator.ts'
import type { TransactionEvent, TransactionMarker } from './transactionEvents.ts'
import type { ClientTransactionVersion, TransactionMetadata } from './transactionMetadata.ts'
import { failed, type TransactionOutcome } from './transactionOutcome.ts'
import { TransactionShard, type TransactionShardDependencies } from './transactionShard.ts'
import type { TransactionLog } from './transactionStateTopic.ts'
import type { ProducerIdentity, TransactionVerifier } from './transactionVerifier.ts'

export interface TransactionServiceOptions extends Omit<TransactionShardDependencies, 'isFull'> {
  readonly log: TransactionLog
  /** transaction.abort.timed.out.transaction.cleanup.interval.ms */
  readonly abortIntervalMs: number
  /** transaction.remove.expired.transaction.cleanup.interval.ms */
  readonly expiryIntervalMs: number
  readonly rarePoints?: RarePoints | undefined
}

/** How late a verification is that a simulator delays, in ms. */
const lateMs = 50

export class TransactionService implements TransactionVerifier {
  readonly #options: TransactionServiceOptions
  /**
   * Clock of the timers: after a stall of the process, requests that arrived meanwhile are handled
   * before any timeout.
   */
  readonly #deadlineClock: Clock
  readonly #runtime: CoordinatorRuntime<TransactionShard>
  readonly #timers = new Set<Timer>()
  readonly #endedBefore: EndedTransactions = { committed: 0, aborted: 0, timedOut: 0 }

  constructor(options: TransactionServiceOptions) {
    this.#options = options
    this.#deadlineClock = stallTolerant(options.clock)
    const { log, limits } = options
    const isFull = () => this.#size >= limits.maxTransactionalIds
    this.#runtime = new CoordinatorRuntime({
      partitions: log,
      newShard: (leadership) => new TransactionShard(leadership, { ...options, isFull }),
      load: (shard, partition, isWanted) =>
        log.load(partition, (record) => shard.restore(record), isWanted),
      onLoadFailed: (partition, error) => {
        options.logger.error({ error, partition }, 'failed to load the transactions of a partition')
      },
      onEnded: (shard) => this.#keepFigures(shard),
    })
  }

  /**
   * Opens the service: loads the ids of every partition that this broker leads. Nothing is written
   * before `start`.
   */
  static async open(options: TransactionServiceOptions): Promise<TransactionService> {
    const service = new TransactionService(options)
    await service.#runtime.loadAll()
    return service
  }

  /**
   * Lets shards act: they continue decided ends, abort transactions that time out, and remove
   * expired ids.
   */
  start(): void {
    const { abortIntervalMs, expiryIntervalMs } = this.#options
    this.#runtime.start()
    this.#every(abortIntervalMs, { type: 'abortTimedOut' })
    this.#every(expiryIntervalMs, { type: 'removeExpired' })
  }

  /**
   * Takes over the leadership of a partition from this epoch on. Resolves when its ids are loaded.
   */
  async load(partition: number, leaderEpoch: number): Promise<void> {
    await this.#runtime.load(partition, leaderEpoch)
  }

  /** Loads and resigns partitions after the leadership in the metadata has changed. */
  follow(): void {
    this.#runtime.follow()
  }

  /** Resigns the leadership of a partition: another broker leads it from this epoch on. */
  resign(partition: number, leaderEpoch: number): void {
    this.#runtime.resign(partition, leaderEpoch)
  }

  /**
   * Returns the error code with which requests for the id are refused; 0 when this broker
   * coordinates it.
   */
  coordinatorError(transactionalId: string): number {
    return this.#runtime.errorOf(transactionalId)
  }

  /** Whether a partition is being loaded. Lists of transactions are incomplete meanwhile. */
  get isLoading(): boolean {
    return this.#runtime.isLoading
  }

  initProducerId(
    transactionalId: string,
    request: InitProducerIdRequest,
  ): Promise<TransactionOutcome> {
    return this.#request(transactionalId, (requestId) => ({
      ...{ type: 'initProducerId', requestId, transactionalId, request },
    }))
  }

  /**
   * Adds partitions to a transaction. Resolves with one error code for all, once they are durably
   * added.
   */
  addPartitions(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    const shard = this.#runtime.shardOf(producer.transactionalId)
    if (typeof shard === 'number') return Promise.resolve(shard)
    return shard.addPartitions(producer, partitions, version)
  }

  /**
   * Writes a marker that another coordinator or an operator asks for. Resolves with an error code.
   */
  writeMarker(
    partition: TopicPartition,
    marker: TransactionMarker,
    coordinatorEpoch: number,
  ): Promise<number> {
    return this.#options.markers.write(partition, marker, coordinatorEpoch)
  }

  /**
   * Returns an error code for each partition: 0 if it is part of the producer's open transaction.
   */
  verifyPartitions(producer: ProducerIdentity, partitions: readonly TopicPartition[]): number[] {
    const shard = this.#runtime.shardOf(producer.transactionalId)
    if (typeof shard === 'number') return partitions.map(() => shard)
    return shard.coordinator.verifyPartitions(producer, partitions)
  }

  async verify(
    producer: ProducerIdentity,
    topic: string,
    partition: number,
    addMissing: boolean,
  ): Promise<number> {
    const { clock, rarePoints } = this.#options
    const partitions = [{ topic, partition }]
    const errorCode = addMissing
      ? await this.addPartitions(producer, partitions, 2)
      : this.verifyPartitions(producer, partitions)[0]!
    if (rarePoints?.isForced('verification late')) await sleep(clock, lateMs)
    return errorCode
  }

  /** Ends a transaction. Resolves once the decision is durable; its markers follow. */
  endTxn(transactionalId: string, request: EndTxnRequest): Promise<TransactionOutcome> {
    return this.#request(transactionalId, (requestId) => ({
      ...{ type: 'endTxn', requestId, transactionalId, request },
    }))
  }

  describe(transactionalId: string): TransactionMetadata | undefined {
    const shard = this.#runtime.shardOf(transactionalId)
    return typeof shard === 'number' ? undefined : shard.coordinator.describe(transactionalId)
  }

  *transactions(): Generator<{ transactionalId: string; metadata: TransactionMetadata }> {
    for (const { coordinator } of this.#runtime.shards()) yield* coordinator.transactions()
  }

  /** The number of transactions that have ended since the broker started. */
  get ended(): Readonly<EndedTransactions> {
    const sum = { ...this.#endedBefore }
    for (const { coordinator } of this.#runtime.shards()) addTo(sum, coordinator.ended)
    return sum
  }

  /** Requests that are not answered yet, and writes in flight, over all shards. */
  get queues(): CoordinatorQueues {
    return queuesOf(this.#runtime.shards())
  }

  /** Refuses requests that wait for their turn, and lets steps in flight become durable. */
  async close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    await this.#runtime.close()
  }

  get #size(): number {
    let size = 0
    for (const { coordinator } of this.#runtime.shards()) size += coordinator.size
    return size
  }

  #request(
    transactionalId: string,
    eventOf: (requestId: number) => TransactionEvent,
  ): Promise<TransactionOutcome> {
    const shard = this.#runtime.shardOf(transactionalId)
    return typeof shard === 'number' ? Promise.resolve(failed(shard)) : shard.request(eventOf)
  }

  #keepFigures({ coordinator }: TransactionShard): void {
    addTo(this.#endedBefore, coordinator.ended)
  }

  #every(intervalMs: number, event: TransactionEvent): void {
    if (this.#runtime.isClosed) return
    const timer = this.#deadlineClock.setTimer(intervalMs, () => {
      this.#timers.delete(timer)
      for (const shard of this.#runtime.shards()) shard.handle(event)
      this.#every(intervalMs, event)
    })
    this.#timers.add(timer)
  }
}

function addTo(sum: EndedTransactions, more: EndedTransactions): void {
  sum.committed += more.committed
  sum.aborted += more.aborted
  sum.timedOut += more.timedOut
}
