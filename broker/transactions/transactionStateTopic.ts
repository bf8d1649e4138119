// __transaction_state as the transaction coordinator's own log: which partition an id's records go
// to, and all records of all partitions at the start, one block at a time. Its logs are made when
// first written to. Knows nothing of what transactions do.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import { BrokerError } from '../errors.ts'
import { coordinatorPartition } from '../groups/coordinatorPartition.ts'
import type { AppendResult } from '../log/appendResult.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
  type TransactionRecord,
} from './transactionLogRecords.ts'

export const transactionStateTopicName = '__transaction_state'

const readBytes = 1024 * 1024
/** Our own batches are small; this is only what a damaged one may not exceed. */
const maxBatchBytes = 64 * 1024 * 1024

export interface TransactionStateTopicOptions {
  readonly clock: Clock
  readonly leaderEpoch: number
  /** Registers the topic if it is not there yet; how many partitions it has. */
  readonly ensureTopic: () => Promise<number>
  /** How many partitions the topic has; 0 when it is not there. */
  readonly partitionCount: number
  readonly find: (partition: number) => PartitionLog | undefined
  readonly open: (partition: number) => Promise<PartitionLog>
}

export class TransactionStateTopic {
  readonly #options: TransactionStateTopicOptions
  #partitionCount: number
  #order: Promise<unknown> = Promise.resolve()

  constructor(options: TransactionStateTopicOptions) {
    this.#options = options
    this.#partitionCount = options.partitionCount
  }

  /** Everything that has been written, partition by partition, each in its order. */
  async load(visit: (record: TransactionRecord) => void): Promise<void> {
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      const log = this.#options.find(partition)
      if (log) await loadPartition(partition, log, visit)
    }
  }

  /** Resolves with a Kafka error code when the record is durable. Calls keep their order. */
  async append(record: TransactionRecord): Promise<number> {
    const nowMs = this.#options.clock.nowMs()
    const { key, value } = encodeTransactionRecord(record)
    const builder = new RecordBatchBuilder()
    builder.append(nowMs, key, value)
    const batch = builder.build()
    // One after another up to the log, which keeps the order from there: finding the log may take a
    // while, and durability must not be waited for here.
    const handedOver = this.#order.then(() => this.#handOver(record.transactionalId, batch))
    this.#order = handedOver.catch(() => undefined)
    const { result } = await handedOver
    return (await result).errorCode
  }

  async #handOver(
    transactionalId: string,
    batch: Buffer,
  ): Promise<{ readonly result: Promise<AppendResult> }> {
    this.#partitionCount ||= await this.#options.ensureTopic()
    const partition = coordinatorPartition(transactionalId, this.#partitionCount)
    const log = this.#options.find(partition) ?? (await this.#options.open(partition))
    const { leaderEpoch } = this.#options
    return { result: log.append(batch, { leaderEpoch, origin: 'coordinator' }) }
  }
}

async function loadPartition(
  partition: number,
  log: PartitionLog,
  visit: (record: TransactionRecord) => void,
): Promise<void> {
  let offset = log.logStartOffset
  while (offset < log.logEndOffset) {
    const { bytes, errorCode } = await log.read(offset, readBytes, { upTo: 'logEnd' })
    const before = offset
    try {
      for (const batch of splitBatches(bytes)) {
        for (const { key, value } of batch.isControl ? [] : records(batch, maxBatchBytes)) {
          const record = key && decodeTransactionRecord(key, value)
          if (record) visit(record)
        }
        offset = batch.nextOffset
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      throw loadFailed(partition, offset, error.message)
    }
    if (errorCode !== ErrorCode.none || offset === before) {
      throw loadFailed(partition, offset, `error ${errorCode}`)
    }
  }
}

function loadFailed(partition: number, offset: number, reason: string): BrokerError {
  return new BrokerError(
    'COORDINATOR_LOAD_FAILED',
    `${transactionStateTopicName}-${partition} cannot be read at offset ${offset} (${reason}): restore the folder from a backup, or remove it to start without transactional ids; transactions open in it stay open`,
  )
}
