// Where the records of groups are kept, as the groups see it. offsetsTopic.ts implements it.

import type { CoordinatorPartitions } from '../coordinators/coordinatorRuntime.ts'
import type { Appended, CoordinatorLeadership } from '../coordinators/coordinatorTopic.ts'
import type { GroupRecord } from './groupRecords.ts'
import type { CommittingProducer } from './offsets/transactionalCommit.ts'

/** Takes in what one partition of the log holds, in its order. */
export interface GroupLogReader {
  /** `producerId` is -1 unless the record is part of a transaction. */
  record(record: GroupRecord, producerId: number, logOffset: number): void
  endTransaction(producerId: number, isCommitted: boolean): void
}

export interface GroupLog extends CoordinatorPartitions {
  /** Reads one partition in order; may stop early once `isWanted` is false. */
  load(partition: number, reader: GroupLogReader, isWanted: () => boolean): Promise<void>
  /**
   * Resolves when the records are durable, as one batch, or with an error code for clients of
   * groups. Appends to one partition keep their order. With a producer they are part of its
   * transaction.
   */
  append(
    leadership: CoordinatorLeadership,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended>
  /** Creates the topic unless it exists. */
  ensure(): Promise<void>
}
