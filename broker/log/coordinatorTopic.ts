// A topic that a coordinator of this broker keeps its own records in: which partition an id's
// records go to, appends in their order, and all batches of all partitions at the start. Its logs
// are made when first written to, because most brokers have few groups and fifty empty folders cost
// a second. Knows nothing of what the records say.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { BrokerError } from '../errors.ts'
import type { Partition } from '../replication/partition.ts'
import type { AppendResult } from './append/appendResult.ts'
import { coordinatorPartition } from './coordinatorPartition.ts'
import { LogError } from './logError.ts'
import type { PartitionLog } from './partitionLog.ts'
import type { VerificationGuard } from './producers/transactionVerification.ts'
import type { ReadResult } from './readResult.ts'

const readBytes = 1024 * 1024

/** A coordinator's batches are small; this is only what a damaged one may not exceed. */
export const maxCoordinatorBatchBytes = 64 * 1024 * 1024

export interface CoordinatorTopicOptions {
  readonly name: string
  /** What is lost when the topic is removed because it cannot be read: for people. */
  readonly contents: string
  /** Registers the topic if it is not there yet; how many partitions it has. */
  readonly ensureTopic: () => Promise<number>
  /** How many partitions the topic has; 0 when it is not there. */
  readonly partitionCount: number
  readonly find: (partition: number) => Partition | undefined
  readonly open: (partition: number) => Promise<Partition>
}

/** What became of an append: a Kafka error code, and where its first record is without one. */
export interface Appended {
  readonly errorCode: number
  readonly baseOffset: number
}

export class CoordinatorTopic {
  readonly #options: CoordinatorTopicOptions
  #partitionCount: number
  #order: Promise<unknown> = Promise.resolve()

  constructor(options: CoordinatorTopicOptions) {
    this.#options = options
    this.#partitionCount = options.partitionCount
  }

  /** Visits every batch that has been written, partition by partition, each in its order. */
  async load(visit: (partition: number, batch: RecordBatch) => void): Promise<void> {
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      const log = this.#options.find(partition)?.log
      if (log) await this.#loadPartition(partition, log, (batch) => visit(partition, batch))
    }
  }

  /** Makes the topic. */
  async partitionOf(id: string): Promise<number> {
    this.#partitionCount ||= await this.#options.ensureTopic()
    return coordinatorPartition(id, this.#partitionCount)
  }

  isIn(id: string, partition: number): boolean {
    return coordinatorPartition(id, this.#partitionCount) === partition
  }

  /** Resolves when the batch is durable. Calls keep their order. */
  async append(id: string, batch: Buffer, verification?: VerificationGuard): Promise<Appended> {
    // One after another up to the log, which keeps the order from there: finding the log may take a
    // while, and durability must not be waited for here.
    const handedOver = this.#order.then(() => this.#handOver(id, batch, verification))
    this.#order = handedOver.catch(() => undefined)
    const { result } = await handedOver
    const { errorCode, baseOffset } = await result
    return { errorCode: coordinatorError(errorCode), baseOffset }
  }

  async #handOver(
    id: string,
    batch: Buffer,
    verification: VerificationGuard | undefined,
  ): Promise<{ readonly result: Promise<AppendResult> }> {
    const number = await this.partitionOf(id)
    const partition = this.#options.find(number) ?? (await this.#options.open(number))
    const options = { origin: 'coordinator', acks: 'all', verification } as const
    return { result: partition.appendAsLeader(batch, options) }
  }

  async #loadPartition(
    partition: number,
    log: PartitionLog,
    visit: (batch: RecordBatch) => void,
  ): Promise<void> {
    let offset = log.logStartOffset
    while (offset < log.logEndOffset) {
      const { bytes, errorCode } = await this.#read(partition, log, offset)
      const before = offset
      for (const batch of splitBatches(bytes)) {
        offset = batch.nextOffset
        try {
          visit(batch)
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error
          throw this.#loadFailed(partition, batch.baseOffset, error.message)
        }
      }
      // Compaction leaves gaps, also at the end of what was read; but there is always a batch.
      if (errorCode !== ErrorCode.none || offset === before) {
        throw this.#loadFailed(partition, offset, `error ${errorCode}`)
      }
    }
  }

  async #read(partition: number, log: PartitionLog, offset: number): Promise<ReadResult> {
    try {
      return await log.read(offset, readBytes, { upTo: 'logEnd' })
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      throw this.#loadFailed(partition, offset, error.message)
    }
  }

  #loadFailed(partition: number, offset: number, reason: string): BrokerError {
    const { name, contents } = this.#options
    return new BrokerError(
      'COORDINATOR_LOAD_FAILED',
      `${name}-${partition} cannot be read at offset ${offset} (${reason}): restore the folder from a backup, or remove it to start without ${contents}`,
    )
  }
}

/**
 * What a coordinator's clients are told when its log takes no records: mostly, to look for us
 * again.
 */
function coordinatorError(errorCode: number): number {
  switch (errorCode) {
    case ErrorCode.unknownTopicOrPartition:
    case ErrorCode.notEnoughReplicas:
    case ErrorCode.notEnoughReplicasAfterAppend:
    case ErrorCode.requestTimedOut:
      return ErrorCode.coordinatorNotAvailable
    case ErrorCode.notLeaderOrFollower:
    case ErrorCode.kafkaStorageError:
      return ErrorCode.notCoordinator
    case ErrorCode.messageTooLarge:
    case ErrorCode.recordListTooLarge:
    case ErrorCode.invalidFetchSize:
      return ErrorCode.unknownServerError
    default:
      return errorCode
  }
}
