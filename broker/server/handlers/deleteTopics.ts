// DeleteTopics: deletes topics by name or, from version 6 on, by id.

import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { TopicOutcome } from '../../controller/controller.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { byKey } from '../repeated.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts, RequestContext } from '../request/requestContext.ts'

interface Wanted {
  readonly name: string | null
  readonly topicId: string
}

const byIdVersion = 6
/** The first version with an error code for a broker with delete.topic.enable=false. */
const disabledCodeVersion = 3

export const deleteTopicsHandler = handler(deleteTopics, async (request, context) => {
  const wanted: readonly Wanted[] =
    context.apiVersion >= byIdVersion
      ? request.topics
      : request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
  const { unique, repeated } = byKey(wanted, keyOf)
  // The request may contain a topic twice, once by name and once by id.
  const topics = byKey(
    unique.filter((topic) => find(context.broker, topic)),
    (topic) => find(context.broker, topic)!.id,
  )
  const responses = await Promise.all(
    unique.map(async (topic) => {
      const known = find(context.broker, topic)
      const isTwice = repeated.has(keyOf(topic)) || (known && topics.repeated.has(known.id))
      const refusal =
        refuseDisabled(context) ?? refuseNaming(topic) ?? (isTwice ? givenTwice : undefined)
      return refusal ? answer(topic, refusal) : await deleteTopic(topic, known, context.broker)
    }),
  )
  return { responses }
})

type Refusal = Pick<TopicOutcome, 'errorCode' | 'message'>

const givenTwice: Refusal = {
  errorCode: ErrorCode.invalidRequest,
  message: 'the request contains the topic more than once',
}

function keyOf({ name, topicId }: Wanted): string {
  return name === null ? `id ${topicId}` : `name ${name}`
}

function find({ controller }: BrokerParts, { name, topicId }: Wanted): Topic | undefined {
  return name === null ? controller.state.topicById(topicId) : controller.state.topic(name)
}

function refuseDisabled({ apiVersion, broker }: RequestContext): Refusal | undefined {
  if (broker.config['delete.topic.enable']) return undefined
  const errorCode =
    apiVersion < disabledCodeVersion ? ErrorCode.invalidRequest : ErrorCode.topicDeletionDisabled
  return { errorCode, message: 'delete.topic.enable is false' }
}

function refuseNaming({ name, topicId }: Wanted): Refusal | undefined {
  const hasId = topicId !== zeroUuid
  if ((name !== null) !== hasId) return undefined
  const message = `a topic is given by its name or by its id, not by ${hasId ? 'both' : 'neither'}`
  return { errorCode: ErrorCode.invalidRequest, message }
}

async function deleteTopic(
  { name, topicId }: Wanted,
  topic: Topic | undefined,
  { controller }: BrokerParts,
) {
  if (!topic) {
    const errorCode = name === null ? ErrorCode.unknownTopicId : ErrorCode.unknownTopicOrPartition
    return answer({ name, topicId }, { errorCode, message: null })
  }
  if (isInternalTopic(topic.name)) {
    const message = 'this topic is internal: it holds the state of the coordinators'
    return answer({ name, topicId }, { errorCode: ErrorCode.invalidTopicException, message })
  }
  const outcome = await controller.deleteTopic(topic)
  return answer({ name: topic.name, topicId: topic.id }, outcome)
}

function answer({ name, topicId }: Wanted, { errorCode, message }: Refusal) {
  return { name, topicId, errorCode, errorMessage: message }
}
