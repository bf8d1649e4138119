// The log of groups' records, as an interface of the group coordinators. offsetsTopic.ts implements
// it on __consumer_offsets. Must never know what a group does.

import type { CoordinatorPartitions } from '../coordinators/coordinatorRuntime.ts'
import type { Appended, CoordinatorLeadership } from '../coordinators/coordinatorTopic.ts'
import type { GroupRecord } from './groupRecords.ts'
import type { CommittingProducer } from './offsets/transactionalCommit.ts'

/** Receives the records and transaction markers of one partition, in the order of its log. */
export interface GroupLogReader {
  /** `producerId` is -1 unless the record is part of a transaction. */
  record(record: GroupRecord, producerId: number, logOffset: number): void
  endTransaction(producerId: number, isCommitted: boolean): void
}

export interface GroupLog extends CoordinatorPartitions {
  /** Reads one partition in order. May stop early once `isWanted` returns false. */
  load(partition: number, reader: GroupLogReader, isWanted: () => boolean): Promise<void>
  /**
   * Appends the records as one batch. Resolves when they are durable, or with an error code for the
   * clients of groups. Appends to one partition keep their order. With a producer, they are part of
   * its transaction.
   */
  append(
    leadership: CoordinatorLeadership,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended>
  /** Creates the topic unless it exists. */
  ensure(): Promise<void>
}
