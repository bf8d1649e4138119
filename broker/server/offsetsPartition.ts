// The partition of __consumer_offsets for the offsets of a group, for requests of transactions. The
// topic and the log of the partition are created lazily; when that fails, the client is asked to
// retry. The number of the partition can be asked of any broker, its log only of the leader.

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

/** Returns the number of the partition of the group, or an error code. */
export async function numberOfOffsetsPartition(
  groupId: string,
  broker: BrokerParts,
): Promise<{ readonly partition: number } | number> {
  return await orRetry(groupId, broker, async () => ({
    partition: await broker.groups.partitionOf(groupId),
  }))
}

/** Returns the partition of the group, or an error code. */
export async function offsetsPartition(
  groupId: string,
  broker: BrokerParts,
): Promise<OffsetsPartition | number> {
  const { groups, replicas, controller } = broker
  return await orRetry(groupId, broker, async () => {
    const partition = await groups.partitionOf(groupId)
    const topic = controller.state.topic(offsetsTopicName)!
    const { log } = await replicas.open(topic, partition)
    return { partition, log }
  })
}

async function orRetry<T>(
  groupId: string,
  { logger }: BrokerParts,
  find: () => Promise<T>,
): Promise<T | number> {
  try {
    return await find()
  } catch (error) {
    if (!(error instanceof LogError || error instanceof BrokerError)) throw error
    logger.error(
      { error, groupId },
      'failed to open the partition of a consumer group; its client is asked to retry',
    )
    return ErrorCode.coordinatorNotAvailable
  }
}
