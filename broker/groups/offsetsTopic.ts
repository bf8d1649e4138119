// __consumer_offsets as the groups' own log: which partition a group's records go to, and all
// records of all partitions at the start. Its logs are made when first written to, because most
// brokers have few groups and fifty empty folders cost a second. Knows nothing of what groups do.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import {
  ControlRecordType,
  decodeControlRecordKey,
} from '../../protocol/kafka/transactionRecords.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import { BrokerError } from '../errors.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import { coordinatorPartition } from './coordinatorPartition.ts'
import type { GroupLog, GroupLogReader } from './groupLog.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from './groupRecords.ts'
import type { Appended, TransactionalProducer } from './groupRegistry.ts'

export const offsetsTopicName = '__consumer_offsets'

const readBytes = 1024 * 1024
/** Our own batches are small; this is only what a damaged one may not exceed. */
const maxBatchBytes = 64 * 1024 * 1024

export interface OffsetsTopicOptions {
  readonly clock: Clock
  /** Registers the topic if it is not there yet; how many partitions it has. */
  readonly ensureTopic: () => Promise<number>
  /** How many partitions the topic has; 0 when it is not there. */
  readonly partitionCount: number
  readonly find: (partition: number) => PartitionLog | undefined
  readonly open: (partition: number) => Promise<PartitionLog>
}

export class OffsetsTopic implements GroupLog {
  readonly #options: OffsetsTopicOptions
  #partitionCount: number
  #order: Promise<unknown> = Promise.resolve()

  constructor(options: OffsetsTopicOptions) {
    this.#options = options
    this.#partitionCount = options.partitionCount
  }

  /** Everything that has been written, partition by partition, each in its order. */
  async load(reader: GroupLogReader): Promise<void> {
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      const log = this.#options.find(partition)
      if (log) await this.#loadPartition(partition, log, reader)
    }
  }

  async append(
    groupId: string,
    groupRecords: readonly GroupRecord[],
    producer: TransactionalProducer | undefined,
  ): Promise<Appended> {
    const batch = this.#encode(groupRecords, producer)
    // One after another up to the log, which keeps the order from there: finding the log may take a
    // while, and durability must not be waited for here.
    const handedOver = this.#order.then(async () => {
      const log = await this.#logOf(groupId)
      return { result: log.append(batch, { leaderEpoch: 0, origin: 'coordinator' }) }
    })
    this.#order = handedOver.catch(() => undefined)
    const { result } = await handedOver
    const { errorCode, baseOffset } = await result
    return { errorCode: coordinatorError(errorCode), baseOffset }
  }

  async partitionOf(groupId: string): Promise<number> {
    this.#partitionCount ||= await this.#options.ensureTopic()
    return coordinatorPartition(groupId, this.#partitionCount)
  }

  isIn(groupId: string, partition: number): boolean {
    return coordinatorPartition(groupId, this.#partitionCount) === partition
  }

  #encode(groupRecords: readonly GroupRecord[], producer?: TransactionalProducer): Buffer {
    const nowMs = this.#options.clock.nowMs()
    // No sequence: it is the coordinator that writes, not the producer.
    const builder = new RecordBatchBuilder(producer && { ...producer, isTransactional: true })
    for (const record of groupRecords) {
      const { key, value } = encodeGroupRecord(record, nowMs)
      builder.append(nowMs, key, value)
    }
    return builder.build()
  }

  async #logOf(groupId: string): Promise<PartitionLog> {
    const partition = await this.partitionOf(groupId)
    return this.#options.find(partition) ?? (await this.#options.open(partition))
  }

  async #loadPartition(
    partition: number,
    log: PartitionLog,
    reader: GroupLogReader,
  ): Promise<void> {
    let offset = log.logStartOffset
    while (offset < log.logEndOffset) {
      const { bytes, errorCode } = await log.read(offset, readBytes, {
        minOneBatch: true,
        upTo: 'logEnd',
      })
      const before = offset
      for (const batch of splitBatches(bytes)) {
        offset = batch.nextOffset
        try {
          loadBatch(partition, batch, reader)
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error
          throw loadFailed(partition, batch.baseOffset, error.message)
        }
      }
      // Compaction leaves gaps, also at the end of what was read; but there is always a batch.
      if (errorCode !== 0 || offset === before) {
        throw loadFailed(partition, offset, `error ${errorCode}`)
      }
    }
  }
}

function loadFailed(partition: number, offset: number, reason: string): BrokerError {
  return new BrokerError(
    'COORDINATOR_LOAD_FAILED',
    `${offsetsTopicName}-${partition} cannot be read at offset ${offset} (${reason}): restore the folder from a backup, or remove it to start without group offsets`,
  )
}

/** Batches may be empty: compaction keeps the last one of each producer. */
function loadBatch(partition: number, batch: RecordBatch, reader: GroupLogReader): void {
  const producerId = batch.isTransactional ? batch.producerId : -1
  for (const { key, value, offset } of records(batch, maxBatchBytes)) {
    if (key === null) continue
    if (batch.isControl) {
      const type = decodeControlRecordKey(key)
      if (type !== ControlRecordType.commit && type !== ControlRecordType.abort) continue
      reader.endTransaction(partition, batch.producerId, type === ControlRecordType.commit)
    } else {
      const record = decodeGroupRecord(key, value)
      if (record) reader.record(record, producerId, offset)
    }
  }
}

/** What clients of groups are told when the log takes no records: mostly, to look for us again. */
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
