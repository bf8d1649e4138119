// CreateTopics: creates topics one by one, each with its own outcome. A request for too many topics
// is refused as a whole.

import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { DynamicConfiguration } from '../../configuration/configuration.ts'
import { describeTopicConfigs } from '../../configuration/topicSettings.ts'
import type { TopicOutcome } from '../../controller/controller.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { createTopicsRefusal } from '../../controller/topics/requestSize.ts'
import type { TopicRequest } from '../../controller/topics/topicRequests.ts'
import type { ConnectionAccess } from '../gate/connectionAccess.ts'
import { byKey } from '../repeated.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

export const createTopicsHandler = handler(createTopics, async (request, { broker, access }) => {
  const { unique, repeated } = byKey(request.topics, ({ name }) => name)
  const wishes = unique.filter(({ name }) => !repeated.has(name))
  const refusal = createTopicsRefusal(broker.controller.state, wishes, broker.configuration.current)
  const outcomeOf = (topic: TopicRequest) => {
    if (refusal) return { ...refusal, topic: undefined }
    if (repeated.has(topic.name)) return givenTwice(topic.name)
    return broker.controller.createTopic(topic, request.validateOnly)
  }
  const topics = await Promise.all(
    unique.map(async (topic) =>
      answer(topic.name, await outcomeOf(topic), request.validateOnly, broker, access),
    ),
  )
  return { topics }
})

function givenTwice(name: string): TopicOutcome {
  return {
    errorCode: ErrorCode.invalidRequest,
    message: `the request contains ${name} more than once`,
    topic: undefined,
  }
}

function answer(
  name: string,
  { errorCode, message, topic }: TopicOutcome,
  validateOnly: boolean,
  { configuration }: BrokerParts,
  access: ConnectionAccess,
) {
  const seesConfigs = topic !== undefined && access.allows('describeConfigs', 'topic', name)
  return {
    name,
    topicId: topic && !validateOnly ? topic.id : zeroUuid,
    errorCode,
    errorMessage: message,
    numPartitions: topic?.partitions.length ?? -1,
    replicationFactor: topic ? 1 : -1,
    configs: seesConfigs ? configsOf(topic, configuration) : [],
  }
}

function configsOf(topic: Topic, configuration: DynamicConfiguration) {
  return describeTopicConfigs(topic.configs, configuration).map(({ name, value, source }) => ({
    name,
    value,
    readOnly: false,
    configSource: source,
    isSensitive: false,
  }))
}
