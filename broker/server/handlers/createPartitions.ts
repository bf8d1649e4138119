// Gives topics more partitions. Assignments are accepted only where they say what happens anyway.

import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import { offsetsTopicName } from '../../groups/offsetsTopic.ts'
import { handler } from '../handler.ts'
import type { BrokerParts } from '../requestContext.ts'

type TopicRequest = RequestOf<typeof createPartitions>['topics'][number]

export const createPartitionsHandler = handler(createPartitions, async (request, { broker }) => {
  const results = request.topics.map((topic) => grow(topic, request.validateOnly, broker))
  return { throttleTimeMs: 0, results: await Promise.all(results) }
})

async function grow(
  { name, count, assignments }: TopicRequest,
  validateOnly: boolean,
  { controller, nodeId }: BrokerParts,
) {
  if (name === offsetsTopicName) {
    const errorMessage = 'groups would move to other partitions and lose their offsets'
    return { name, errorCode: ErrorCode.invalidTopicException, errorMessage }
  }
  const placedHere = (assignments ?? []).every(
    ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId,
  )
  if (!placedHere) {
    const errorMessage = `there is one broker, ${nodeId}: each partition must be on it`
    return { name, errorCode: ErrorCode.invalidReplicaAssignment, errorMessage }
  }
  const { errorCode, message } = await controller.createPartitions(name, count, validateOnly)
  return { name, errorCode, errorMessage: message }
}
