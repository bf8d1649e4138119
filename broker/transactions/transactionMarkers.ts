// Writes the markers that end transactions into the logs of partitions, and reports markers in
// __consumer_offsets to the groups. Decides nothing and never retries: the caller does.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { buildEndTransactionMarker } from '../../protocol/kafka/records/endTransactionMarker.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { offsetsTopicName } from '../coordinators/coordinatorTopicNames.ts'
import type { TransactionalOffsets } from '../coordinators/transactionalOffsets.ts'
import type { Partition } from '../replication/partition.ts'
import type { TransactionMarker } from './transactionEvents.ts'

export interface TransactionMarkersOptions {
  readonly clock: Clock
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  /**
   * Returns a partition; creates the log of a coordinator's partition lazily. Resolves with an
   * error code when there is no log: the partition does not exist, or is not available now.
   */
  readonly findPartition: (partition: TopicPartition) => Promise<Partition | number>
  readonly offsets: TransactionalOffsets
}

/** How late a marker is that a simulator delays, in ms. */
const lateMs = 50

export class TransactionMarkers {
  readonly #options: TransactionMarkersOptions

  constructor(options: TransactionMarkersOptions) {
    this.#options = options
  }

  /** Writes a marker. Resolves with 0 once it is durable, or with a Kafka error code. */
  async write(
    partition: TopicPartition,
    marker: TransactionMarker,
    coordinatorEpoch: number,
  ): Promise<number> {
    const { clock, rarePoints, logger, findPartition, offsets } = this.#options
    try {
      if (rarePoints?.isForced('transaction marker late')) await sleep(clock, lateMs)
      if (rarePoints?.isForced('transaction marker refused')) return ErrorCode.kafkaStorageError
      const found = await findPartition(partition)
      if (typeof found === 'number') return found
      const isCommit = marker.committed
      const batch = buildEndTransactionMarker(marker, { isCommit, coordinatorEpoch }, clock.nowMs())
      const { errorCode } = await found.appendAsLeader(batch, {
        origin: 'coordinator',
        acks: 'all',
      })
      if (errorCode === ErrorCode.none && partition.topic === offsetsTopicName) {
        offsets.completeTransaction(partition.partition, marker.producerId, isCommit)
      }
      return errorCode
    } catch (error) {
      logger.error({ error, ...partition }, 'failed to write a transaction marker')
      return ErrorCode.kafkaStorageError
    }
  }
}
