// DeleteRecords: deletes the records below an offset. Answered when the deletion is durable.

import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import type { DeleteRecordsResult } from '../../log/removal/deleteRecordsResult.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

type PartitionRequest = RequestOf<typeof deleteRecords>['topics'][number]['partitions'][number]

export const deleteRecordsHandler = handler(deleteRecords, async ({ topics }, { broker }) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async (partition) => ({
          partitionIndex: partition.partitionIndex,
          ...(await deleteBefore(name, partition, broker)),
        })),
      ),
    })),
  ),
}))

async function deleteBefore(
  topic: string,
  { partitionIndex, offset }: PartitionRequest,
  { controller, replicas }: BrokerParts,
): Promise<DeleteRecordsResult> {
  const known = controller.state.topic(topic)
  if (!known) return refuse(ErrorCode.unknownTopicOrPartition)
  if (isInternalTopic(topic)) return refuse(ErrorCode.invalidTopicException)
  const partition = replicas.partition(topic, partitionIndex)
  if (!partition) return refuse(replicas.errorCodeOfMissing(known, partitionIndex))
  if (!partition.isLeader) return refuse(ErrorCode.notLeaderOrFollower)
  const { log } = partition
  // A compacted log must keep the last record of each key.
  if (!log.config.cleanupPolicy.delete) return refuse(ErrorCode.policyViolation)
  return await log.deleteRecordsBefore(offset)
}

function refuse(errorCode: number): DeleteRecordsResult {
  return { errorCode, lowWatermark: -1 }
}
