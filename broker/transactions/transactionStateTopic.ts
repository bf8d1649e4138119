// __transaction_state as the transaction coordinator's own log: what is written to it and read from
// it as records of transactional ids. Knows nothing of what transactions do.

import { RecordBatchBuilder } from '../../protocol/kafka/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import { type CoordinatorTopic, maxCoordinatorBatchBytes } from '../log/coordinatorTopic.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
  type TransactionRecord,
} from './transactionLogRecords.ts'
import type { TransactionLog } from './transactionService.ts'

export const transactionStateTopicName = '__transaction_state'

export class TransactionStateTopic implements TransactionLog {
  readonly #clock: Clock
  readonly #topic: CoordinatorTopic

  constructor(clock: Clock, topic: CoordinatorTopic) {
    this.#clock = clock
    this.#topic = topic
  }

  load(visit: (record: TransactionRecord) => void): Promise<void> {
    return this.#topic.load((_, batch) => {
      if (batch.isControl) return
      for (const { key, value } of records(batch, maxCoordinatorBatchBytes)) {
        const record = key && decodeTransactionRecord(key, value)
        if (record) visit(record)
      }
    })
  }

  async append(record: TransactionRecord): Promise<number> {
    const { key, value } = encodeTransactionRecord(record)
    const builder = new RecordBatchBuilder()
    builder.append(this.#clock.nowMs(), key, value)
    const { errorCode } = await this.#topic.append(record.transactionalId, builder.build())
    return errorCode
  }
}
