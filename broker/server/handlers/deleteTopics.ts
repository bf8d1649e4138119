// Deletes topics by name or, from version 6, by id.

import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/fields.ts'
import type { TopicOutcome } from '../../controller/controller.ts'
import { offsetsTopicName } from '../../groups/offsetsTopic.ts'
import { handler } from '../handler.ts'
import type { BrokerParts } from '../requestContext.ts'

interface Wanted {
  readonly name: string | null
  readonly topicId: string
}

const byIdVersion = 6

export const deleteTopicsHandler = handler(deleteTopics, async (request, context) => {
  const wanted: readonly Wanted[] =
    context.apiVersion >= byIdVersion
      ? request.topics
      : request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
  const responses = await Promise.all(wanted.map((topic) => deleteTopic(topic, context.broker)))
  return { throttleTimeMs: 0, responses }
})

async function deleteTopic({ name, topicId }: Wanted, { controller }: BrokerParts) {
  const { state } = controller
  const topic = name === null ? state.topicById(topicId) : state.topic(name)
  if (!topic) {
    const errorCode = name === null ? ErrorCode.unknownTopicId : ErrorCode.unknownTopicOrPartition
    return answer({ name, topicId }, { errorCode, message: null })
  }
  if (topic.name === offsetsTopicName) {
    const message = 'the groups keep their offsets in this topic'
    return answer({ name, topicId }, { errorCode: ErrorCode.invalidTopicException, message })
  }
  const outcome = await controller.deleteTopic(topic)
  return answer({ name: topic.name, topicId: topic.id }, outcome)
}

function answer(
  { name, topicId }: Wanted,
  { errorCode, message }: Pick<TopicOutcome, 'errorCode' | 'message'>,
) {
  return { name, topicId, errorCode, errorMessage: message }
}
