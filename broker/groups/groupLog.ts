// Where the records of groups are kept, as the groups see it. offsetsTopic.ts is the one there is.

import type { Appended } from '../log/coordinatorTopic.ts'
import type { GroupRecord } from './groupRecords.ts'
import type { CommittingProducer } from './groupRegistry.ts'

/** Takes in what a log holds, in its order. */
export interface GroupLogReader {
  /** `producerId` is -1 unless the record is part of a transaction. */
  record(record: GroupRecord, producerId: number, logOffset: number): void
  endTransaction(partition: number, producerId: number, isCommitted: boolean): void
}

export interface GroupLog {
  load(reader: GroupLogReader): Promise<void>
  /**
   * Resolves when the records are durable, as one batch, or with an error code for clients of groups.
   * Appends of one group keep their order. With a producer they are part of its transaction.
   */
  append(
    groupId: string,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended>
  /** Makes room for groups if there is none yet. */
  partitionOf(groupId: string): Promise<number>
  isIn(groupId: string, partition: number): boolean
}
