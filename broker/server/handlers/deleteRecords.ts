// Deletes the records below an offset: everything below it is gone for good when this is answered.

import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import type { DeleteRecordsResult } from '../../log/deleteRecordsResult.ts'
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
  const log = replicas.log(topic, partitionIndex)
  if (!log) return refuse(replicas.errorCodeOfMissing(known, partitionIndex))
  // The key's last value must stay where cleaning keeps it.
  if (!log.config.cleanupPolicy.delete) return refuse(ErrorCode.policyViolation)
  return await log.deleteRecordsBefore(offset)
}

function refuse(errorCode: number): DeleteRecordsResult {
  return { errorCode, lowWatermark: -1 }
}
