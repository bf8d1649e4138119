// Forgets offsets of a group, but not those of topics that its members are subscribed to.

import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'
import { partitionExists } from '../partitionExists.ts'

export const offsetDeleteHandler = handler(offsetDelete, async (request, { broker }) => {
  const { groupId } = request
  const errorCode = broker.groups.admitOffsetDelete(groupId)
  if (errorCode !== ErrorCode.none) return { errorCode, throttleTimeMs: 0, topics: [] }
  const wanted = request.topics.flatMap(({ name, partitions }) =>
    partitions
      .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex }))
      .filter(({ topic, partition }) => partitionExists(broker.controller.state, topic, partition)),
  )
  const codes = await broker.groups.deleteOffsets(groupId, wanted)
  const codeOf = new Map(wanted.map((each, index) => [keyOf(each), codes[index]!]))
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex: partition }) => ({
      partitionIndex: partition,
      errorCode: codeOf.get(keyOf({ topic: name, partition })) ?? ErrorCode.unknownTopicOrPartition,
    })),
  }))
  return { errorCode, throttleTimeMs: 0, topics }
})

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`
}
