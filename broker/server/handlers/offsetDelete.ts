// Forgets offsets of a group, but not those of topics that its members are subscribed to.

import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'

export const offsetDeleteHandler = handler(offsetDelete, async (request, { broker }) => {
  const { groupId } = request
  const errorCode = broker.groups.admitOffsetDelete(groupId)
  if (errorCode !== ErrorCode.none) return { errorCode, throttleTimeMs: 0, topics: [] }
  const topics = request.topics.map(async ({ name, partitions }) => {
    const wanted = partitions.map(({ partitionIndex }) => ({
      topic: name,
      partition: partitionIndex,
    }))
    const codes = await broker.groups.deleteOffsets(groupId, wanted)
    return {
      name,
      partitions: wanted.map(({ partition }, index) => ({
        partitionIndex: partition,
        errorCode: codes[index]!,
      })),
    }
  })
  return { errorCode, throttleTimeMs: 0, topics: await Promise.all(topics) }
})
