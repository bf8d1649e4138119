// GET .../consumers/{consumer_id}/assignments/{topic_name}/partitions/{partition_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf, shortened } from '../links.ts'
import { consumerPath, partitionPath } from '../pathParameters.ts'
import { assignmentResource, assignmentSchema } from './assignment.ts'
import { consumerOf } from './consumer.ts'
import { groupOf } from './consumerGroup.ts'

export const getAssignment: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/consumers/:consumer_id/assignments/:topic_name/partitions/:partition_id',
    {
      schema: {
        operationId: 'getKafkaConsumerAssignment',
        summary: 'Get the assignment of a partition to a consumer',
        tags: ['Consumer Group (v3)'],
        params: Type.Object({ ...consumerPath, ...partitionPath }),
        response: { 200: assignmentSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic, partition_id: partition } = request.params
      const group = await groupOf(context.admin, request.params)
      const member = consumerOf(group, request.params)
      const isAssigned = member.assignment.some(
        (place) => place.topic === topic && place.partition === partition,
      )
      if (isAssigned) return assignmentResource(links, group.groupId, member, { topic, partition })
      throw new RestError(
        404,
        'NOT_ASSIGNED',
        `${shortened(topic)}-${partition} is not assigned to consumer ${shortened(member.memberId)}`,
        'list the assignments of the consumer: they change with each rebalance',
      )
    },
  )
}
