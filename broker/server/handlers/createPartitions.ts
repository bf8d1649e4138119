// CreatePartitions: adds partitions to topics. Only assignments to this broker are accepted.

import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { createPartitionsRefusal } from '../../controller/topics/requestSize.ts'
import type { Refusal } from '../../controller/topics/topicRequests.ts'
import { byKey } from '../repeated.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

type TopicRequest = RequestOf<typeof createPartitions>['topics'][number]

export const createPartitionsHandler = handler(createPartitions, async (request, { broker }) => {
  const { unique, repeated } = byKey(request.topics, ({ name }) => name)
  const wishes = unique.filter(({ name }) => !repeated.has(name) && !isInternalTopic(name))
  const refusal = createPartitionsRefusal(broker.controller.state, wishes)
  if (refusal) return { results: unique.map((topic) => refused(topic, refusal)) }
  const results = unique.map((topic) =>
    repeated.has(topic.name) ? refusedTwice(topic.name) : grow(topic, request.validateOnly, broker),
  )
  return { results: await Promise.all(results) }
})

function refused({ name }: TopicRequest, { errorCode, message }: Refusal) {
  return { name, errorCode, errorMessage: message }
}

function refusedTwice(name: string) {
  const errorMessage = `the request contains ${name} more than once`
  return { name, errorCode: ErrorCode.invalidRequest, errorMessage }
}

async function grow(
  { name, count, assignments }: TopicRequest,
  validateOnly: boolean,
  { controller, nodeId }: BrokerParts,
) {
  if (isInternalTopic(name)) {
    const errorMessage =
      'groups and transactional ids would belong to other partitions of this topic, and be lost'
    return { name, errorCode: ErrorCode.invalidTopicException, errorMessage }
  }
  const added = count - (controller.state.topic(name)?.partitions.length ?? count)
  const refusal =
    added > 0 && assignments ? refuseAssignments(assignments, added, nodeId) : undefined
  if (refusal) return { name, ...refusal }
  const { errorCode, message } = await controller.createPartitions(name, count, validateOnly)
  return { name, errorCode, errorMessage: message }
}

function refuseAssignments(
  assignments: NonNullable<TopicRequest['assignments']>,
  newPartitions: number,
  nodeId: number,
) {
  const placedHere = assignments.every(
    ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId,
  )
  // Some clients send an empty list for no assignments.
  const areEnough = assignments.length === 0 || assignments.length === newPartitions
  if (placedHere && areEnough) return undefined
  const errorMessage = `each of the ${newPartitions} new partitions must be placed on broker ${nodeId}`
  return { errorCode: ErrorCode.invalidReplicaAssignment, errorMessage }
}
