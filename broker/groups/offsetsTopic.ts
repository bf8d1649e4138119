// __consumer_offsets as the groups' own log: what is written to it and read from it as records of
// groups. Knows nothing of what groups do.

import type { RecordBatch } from '../../protocol/kafka/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/recordBatchBuilder.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import {
  ControlRecordType,
  decodeControlRecordKey,
} from '../../protocol/kafka/transactionRecords.ts'
import type { Clock } from '../../protocol/runtime/clock.ts'
import {
  type Appended,
  type CoordinatorTopic,
  maxCoordinatorBatchBytes,
} from '../log/coordinatorTopic.ts'
import type { GroupLog, GroupLogReader } from './groupLog.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from './groupRecords.ts'
import type { CommittingProducer } from './groupRegistry.ts'

export const offsetsTopicName = '__consumer_offsets'

export class OffsetsTopic implements GroupLog {
  readonly #clock: Clock
  readonly #topic: CoordinatorTopic

  constructor(clock: Clock, topic: CoordinatorTopic) {
    this.#clock = clock
    this.#topic = topic
  }

  /** Everything that has been written, partition by partition, each in its order. */
  load(reader: GroupLogReader): Promise<void> {
    return this.#topic.load((partition, batch) => loadBatch(partition, batch, reader))
  }

  append(
    groupId: string,
    groupRecords: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended> {
    const batch = this.#encode(groupRecords, producer)
    return this.#topic.append(groupId, batch, producer?.verification)
  }

  partitionOf(groupId: string): Promise<number> {
    return this.#topic.partitionOf(groupId)
  }

  isIn(groupId: string, partition: number): boolean {
    return this.#topic.isIn(groupId, partition)
  }

  #encode(groupRecords: readonly GroupRecord[], producer?: CommittingProducer): Buffer {
    const nowMs = this.#clock.nowMs()
    // No sequence: it is the coordinator that writes, not the producer.
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

/** Batches may be empty: compaction keeps the last one of each producer. */
function loadBatch(partition: number, batch: RecordBatch, reader: GroupLogReader): void {
  const producerId = batch.isTransactional ? batch.producerId : -1
  for (const { key, value, offset } of records(batch, maxCoordinatorBatchBytes)) {
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
