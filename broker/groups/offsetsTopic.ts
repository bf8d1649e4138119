// __consumer_offsets as the log of groups: translates between batches and records of groups. Must
// never know what a group does with them.

import {
  ControlRecordType,
  decodeControlRecordKey,
} from '../../protocol/kafka/coordinators/transactionRecords.ts'
import type { RecordBatch } from '../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import {
  type Appended,
  type CoordinatorLeadership,
  type CoordinatorTopic,
  maxCoordinatorBatchBytes,
  type PartitionLeadership,
} from '../coordinators/coordinatorTopic.ts'
import type { GroupLog, GroupLogReader } from './groupLog.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from './groupRecords.ts'
import type { CommittingProducer } from './offsets/transactionalCommit.ts'

export class OffsetsTopic implements GroupLog {
  readonly #clock: Clock
  readonly #topic: CoordinatorTopic

  constructor(clock: Clock, topic: CoordinatorTopic) {
    this.#clock = clock
    this.#topic = topic
  }

  get partitionCount(): number {
    return this.#topic.partitionCount
  }

  partitionOf(groupId: string): number {
    return this.#topic.partitionOf(groupId)
  }

  leadership(partition: number): PartitionLeadership {
    return this.#topic.leadership(partition)
  }

  isEmpty(partition: number): boolean {
    return this.#topic.isEmpty(partition)
  }

  ensure(): Promise<void> {
    return this.#topic.ensure()
  }

  load(partition: number, reader: GroupLogReader, isWanted: () => boolean): Promise<void> {
    return this.#topic.load(partition, (batch) => loadBatch(batch, reader), isWanted)
  }

  append(
    leadership: CoordinatorLeadership,
    groupRecords: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended> {
    const batch = this.#encode(groupRecords, producer)
    return this.#topic.append(leadership, batch, producer?.verification)
  }

  #encode(groupRecords: readonly GroupRecord[], producer?: CommittingProducer): Buffer {
    const nowMs = this.#clock.nowMs()
    // No sequence number: the batch is written by the coordinator, not by the producer.
    const { producerId = -1, producerEpoch = -1 } = producer ?? {}
    const isTransactional = producer !== undefined
    const builder = new RecordBatchBuilder({ producerId, producerEpoch, isTransactional })
    for (const record of groupRecords) {
      const { key, value } = encodeGroupRecord(record, nowMs)
      builder.append(nowMs, key, value)
    }
    return builder.build()
  }
}

/**
 * Passes a batch on, record by record. A batch may be empty: compaction keeps the last batch of
 * each producer.
 */
function loadBatch(batch: RecordBatch, reader: GroupLogReader): void {
  const producerId = batch.isTransactional ? batch.producerId : -1
  for (const { key, value, offset } of records(batch, maxCoordinatorBatchBytes)) {
    if (key === null) continue
    if (batch.isControl) {
      const type = decodeControlRecordKey(key)
      if (type !== ControlRecordType.commit && type !== ControlRecordType.abort) continue
      reader.endTransaction(batch.producerId, type === ControlRecordType.commit)
    } else {
      const record = decodeGroupRecord(key, value)
      if (record) reader.record(record, producerId, offset)
    }
  }
}
