// OffsetDelete: deletes offsets of a group, except those of topics that its members consume.

import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { codesByPartition } from '../partitions/codesByPartition.ts'
import { handler } from '../request/handler.ts'

export const offsetDeleteHandler = handler(offsetDelete, async (request, { broker }) => {
  const { groupId } = request
  const errorCode = broker.groups.admitOffsetDelete(groupId)
  if (errorCode !== ErrorCode.none) return { errorCode, topics: [] }
  const topics = await codesByPartition(
    broker.controller.state,
    request.topics,
    (topic, { partitionIndex }) => ({ topic, partition: partitionIndex }),
    (wanted) => broker.groups.deleteOffsets(groupId, wanted),
  )
  return { errorCode, topics }
})
