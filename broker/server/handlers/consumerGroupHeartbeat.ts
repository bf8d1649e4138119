// ConsumerGroupHeartbeat: a member of a consumer group (KIP-848) joins, reports its partitions,
// gets its assignment, or leaves. Answered when all state that the answer reports is durable.

import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { fromList, toList } from '../../groups/consumer/topicPartitions.ts'
import { handler } from '../request/handler.ts'

/** First version whose members make their own ids. */
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
