// Appends of transactional producers. The first batch of a transaction in a partition waits until
// the coordinator has added the partition to the transaction, or has confirmed it (KIP-890). Later
// batches of the producer to the partition wait behind it, because they would be out of sequence.
// All other appends go to the log at once. The number of waiting appends is bounded by the requests
// in flight, which the memory budgets of the connections bound.

import type { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { type AppendResult, notAppended } from '../../log/append/appendResult.ts'
import { refuse } from '../../log/append/refusal.ts'
import type { VerificationGuard } from '../../log/producers/transactionVerification.ts'
import type { Partition } from '../../replication/partition.ts'
import type { TransactionVerifier } from '../../transactions/transactionVerifier.ts'

export interface TransactionalAppend {
  readonly transactionalId: string
  readonly partition: Partition
  readonly bytes: Buffer
  /** The first batch in the bytes. */
  readonly first: RecordBatch
  /** From the Produce request. */
  readonly apiVersion: number
  /** From the Produce request. */
  readonly acks: 'all' | 'leader'
  readonly decompression: MemoryAllowance
}

/**
 * An append that was started. Its result is wrapped in an object, because awaiting the start must
 * not await the result.
 */
interface Started {
  readonly result: Promise<AppendResult>
}

/** First version of Produce whose clients know TRANSACTION_ABORTABLE. */
const abortableVersion = 11
/** First version of Produce with which the broker adds partitions to transactions. */
const addingVersion = 12

export class TransactionalAppends {
  readonly #verifier: TransactionVerifier
  /**
   * By partition and producer id: a promise that resolves when the last waiting append was passed
   * to the log.
   */
  readonly #waiting = new Map<Partition, Map<number, Promise<unknown>>>()
  #waitingCount = 0

  constructor(verifier: TransactionVerifier) {
    this.#verifier = verifier
  }

  /** Appends that were not passed to the log yet. */
  get waiting(): number {
    return this.#waitingCount
  }

  append(append: TransactionalAppend): Promise<AppendResult> {
    const { partition, first } = append
    const { producerId } = first
    const ahead = this.#waiting.get(partition)?.get(producerId)
    if (!ahead && !this.#guardFor(append)) return this.#toLog(append, undefined)
    const started = this.#inTurn(ahead, append)
    this.#wait(partition, producerId, started)
    return started.then(({ result }) => result)
  }

  async #inTurn(
    ahead: Promise<unknown> | undefined,
    append: TransactionalAppend,
  ): Promise<Started> {
    // The result of the append ahead concerns only its own client.
    await ahead?.catch(() => undefined)
    const guard = this.#guardFor(append)
    const errorCode = guard ? await this.#verify(append) : ErrorCode.none
    if (errorCode === ErrorCode.none) return { result: this.#toLog(append, guard) }
    const message = 'failed to verify that the partition is part of the transaction'
    const refused = notAppended(refuse(errorCode, message), append.partition.log.logStartOffset)
    return { result: Promise.resolve(refused) }
  }

  async #verify({
    transactionalId,
    partition: { topic, partition },
    first,
    apiVersion,
  }: TransactionalAppend): Promise<number> {
    const { producerId, producerEpoch } = first
    const producer = { transactionalId, producerId, producerEpoch }
    const addMissing = apiVersion >= addingVersion
    const errorCode = await this.#verifier.verify(producer, topic, partition, addMissing)
    return produceError(errorCode, apiVersion)
  }

  /**
   * Takes the guard. This must precede the request to the coordinator: a marker that is appended
   * meanwhile invalidates the guard.
   */
  #guardFor({ partition, first, apiVersion }: TransactionalAppend) {
    const { producerId, producerEpoch, baseSequence } = first
    const supportsEpochBump = apiVersion >= addingVersion
    return partition.log.verificationFor({
      producerId,
      producerEpoch,
      baseSequence,
      supportsEpochBump,
    })
  }

  #toLog(
    { partition, bytes, acks, decompression }: TransactionalAppend,
    verification: VerificationGuard | undefined,
  ): Promise<AppendResult> {
    const options = { origin: 'client', acks, verification, decompression } as const
    return partition.appendAsLeader(bytes, options)
  }

  #wait(partition: Partition, producerId: number, started: Promise<Started>): void {
    const producers = this.#waiting.get(partition) ?? new Map<number, Promise<unknown>>()
    this.#waiting.set(partition, producers.set(producerId, started))
    this.#waitingCount++
    const over = () => {
      this.#waitingCount--
      if (producers.get(producerId) !== started) return
      producers.delete(producerId)
      if (producers.size === 0) this.#waiting.delete(partition)
    }
    started.then(over, over)
  }
}

/** Returns the error code for the producer, among those that its version knows. */
function produceError(errorCode: number, apiVersion: number): number {
  switch (errorCode) {
    case ErrorCode.producerFenced:
      return ErrorCode.invalidProducerEpoch
    case ErrorCode.transactionAbortable:
      return apiVersion >= abortableVersion ? errorCode : ErrorCode.invalidTxnState
    case ErrorCode.concurrentTransactions:
      return apiVersion >= addingVersion ? errorCode : ErrorCode.notEnoughReplicas
    // A producer retries NOT_ENOUGH_REPLICAS without refreshing its metadata.
    case ErrorCode.networkException:
    case ErrorCode.coordinatorLoadInProgress:
    case ErrorCode.coordinatorNotAvailable:
    case ErrorCode.notCoordinator:
      return ErrorCode.notEnoughReplicas
    default:
      return errorCode
  }
}
