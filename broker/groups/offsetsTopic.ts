// __consumer_offsets as the groups' own log: which partition a group's records go to, and all
// records of all partitions at the start. Its logs are made when first written to, because most
// brokers have few groups and fifty empty folders cost a second. Knows nothing of what groups do.

import { type RecordBatch, splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import { BrokerError } from '../errors.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import { coordinatorPartition } from './coordinatorPartition.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from './groupRecords.ts'

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

export class OffsetsTopic {
  readonly #options: OffsetsTopicOptions
  #partitionCount: number
  #order: Promise<unknown> = Promise.resolve()

  constructor(options: OffsetsTopicOptions) {
    this.#options = options
    this.#partitionCount = options.partitionCount
  }

  /** Everything that has been written, partition by partition, each in its order. */
  async load(): Promise<GroupRecord[]> {
    const loaded: GroupRecord[] = []
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      const log = this.#options.find(partition)
      if (log) await this.#loadPartition(partition, log, loaded)
    }
    return loaded
  }

  /** Resolves with a Kafka error code when the records are durable. Calls keep their order. */
  async append(groupId: string, groupRecords: readonly GroupRecord[]): Promise<number> {
    const nowMs = this.#options.clock.nowMs()
    const builder = new RecordBatchBuilder()
    for (const record of groupRecords) {
      const { key, value } = encodeGroupRecord(record, nowMs)
      builder.append(nowMs, key, value)
    }
    const batch = builder.build()
    // One after another up to the log, which keeps the order from there: finding the log may take a
    // while, and durability must not be waited for here.
    const handedOver = this.#order.then(async () => {
      const log = await this.#logOf(groupId)
      return { result: log.append(batch, { leaderEpoch: 0, origin: 'coordinator' }) }
    })
    this.#order = handedOver.catch(() => undefined)
    const { result } = await handedOver
    return (await result).errorCode
  }

  async #logOf(groupId: string): Promise<PartitionLog> {
    this.#partitionCount ||= await this.#options.ensureTopic()
    const partition = coordinatorPartition(groupId, this.#partitionCount)
    return this.#options.find(partition) ?? (await this.#options.open(partition))
  }

  async #loadPartition(partition: number, log: PartitionLog, into: GroupRecord[]): Promise<void> {
    let offset = log.logStartOffset
    while (offset < log.logEndOffset) {
      const { bytes, errorCode } = await log.read(offset, readBytes, {
        minOneBatch: true,
        upTo: 'logEnd',
      })
      const before = offset
      for (const batch of splitBatches(bytes)) {
        if (!batch.isControl) loadBatch(batch, into)
        offset = batch.nextOffset
      }
      if (errorCode !== 0 || offset === before) {
        throw new BrokerError(
          'COORDINATOR_LOAD_FAILED',
          `${offsetsTopicName}-${partition} cannot be read at offset ${offset} (error ${errorCode}): restore the folder from a backup, or remove it to start without group offsets`,
        )
      }
    }
  }
}

function loadBatch(batch: RecordBatch, into: GroupRecord[]): void {
  for (const { key, value } of records(batch, maxBatchBytes)) {
    if (key === null) continue
    const record = decodeGroupRecord(key, value)
    if (record) into.push(record)
  }
}
