// The partition of __consumer_offsets for the offsets of a group, for requests of transactions. The
// topic and the log of the partition are created lazily; when that fails, the client is asked to
// retry.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { offsetsTopicName } from '../coordinators/coordinatorTopicNames.ts'
import { BrokerError } from '../errors.ts'
import { LogError } from '../log/logError.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { BrokerParts } from './request/requestContext.ts'

export interface OffsetsPartition {
  readonly partition: number
  readonly log: PartitionLog
}

/** Returns the partition of the group, or an error code. */
export async function offsetsPartition(
  groupId: string,
  { groups, replicas, controller, logger }: BrokerParts,
): Promise<OffsetsPartition | number> {
  try {
    const partition = await groups.partitionOf(groupId)
    const topic = controller.state.topic(offsetsTopicName)!
    const { log } = await replicas.open(topic, partition)
    return { partition, log }
  } catch (error) {
    if (!(error instanceof LogError || error instanceof BrokerError)) throw error
    logger.error(
      { error, groupId },
      'failed to open the partition of a consumer group; its client is asked to retry',
    )
    return ErrorCode.coordinatorNotAvailable
  }
}
