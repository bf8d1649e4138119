// A member of a consumer group (KIP-848) joins, says what it has, learns what it gets, or leaves.
// Answered when what it is told is durable.

import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { fromList, toList } from '../../groups/consumer/topicPartitions.ts'
import { handler } from '../request/handler.ts'

/** From here on members make their own ids. */
const memberIdVersion = 1

export const consumerGroupHeartbeatHandler = handler(
  consumerGroupHeartbeat,
  async (request, { broker, apiVersion, clientId, clientHost }) => {
    const { topicPartitions, groupId } = request
    const outcome = await broker.groups.consumerHeartbeat(groupId, {
      ...request,
      clientId,
      clientHost,
      owned: topicPartitions && fromList(topicPartitions),
      requireMemberId: apiVersion >= memberIdVersion,
    })
    const { assignment } = outcome
    return { ...outcome, assignment: assignment && { topicPartitions: toList(assignment) } }
  },
)
