// __transaction_state as the log of transaction coordinators: translates between batches and
// records of transactional ids. Must never know what a transaction does with them.

import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { CoordinatorPartitions } from '../coordinators/coordinatorRuntime.ts'
import {
  type CoordinatorLeadership,
  type CoordinatorTopic,
  maxCoordinatorBatchBytes,
  type PartitionLeadership,
} from '../coordinators/coordinatorTopic.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
  type TransactionRecord,
} from './transactionLogRecords.ts'

/** The log of the records of transactional ids. */
export interface TransactionLog extends CoordinatorPartitions {
  /** Visits the records of one partition in order. May stop early once `isWanted` returns false. */
  load(
    partition: number,
    visit: (record: TransactionRecord) => void,
    isWanted: () => boolean,
  ): Promise<void>
  /**
   * Appends a record. Resolves with a Kafka error code, 0 once it is durable. Appends to one
   * partition keep their order.
   */
  append(leadership: CoordinatorLeadership, record: TransactionRecord): Promise<number>
}

export class TransactionStateTopic implements TransactionLog {
  readonly #clock: Clock
  readonly #topic: CoordinatorTopic

  constructor(clock: Clock, topic: CoordinatorTopic) {
    this.#clock = clock
    this.#topic = topic
  }

  get partitionCount(): number {
    return this.#topic.partitionCount
  }

  partitionOf(transactionalId: string): number {
    return this.#topic.partitionOf(transactionalId)
  }

  leadership(partition: number): PartitionLeadership {
    return this.#topic.leadership(partition)
  }

  isEmpty(partition: number): boolean {
    return this.#topic.isEmpty(partition)
  }

  load(
    partition: number,
    visit: (record: TransactionRecord) => void,
    isWanted: () => boolean,
  ): Promise<void> {
    return this.#topic.load(
      partition,
      (batch) => {
        if (batch.isControl) return
        for (const { key, value } of records(batch, maxCoordinatorBatchBytes)) {
          const record = key && decodeTransactionRecord(key, value)
          if (record) visit(record)
        }
      },
      isWanted,
    )
  }

  async append(leadership: CoordinatorLeadership, record: TransactionRecord): Promise<number> {
    const { key, value } = encodeTransactionRecord(record)
    const builder = new RecordBatchBuilder()
    builder.append(this.#clock.nowMs(), key, value)
    const { errorCode } = await this.#topic.append(leadership, builder.build())
    return errorCode
  }
}
