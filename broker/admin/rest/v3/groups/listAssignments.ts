// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/consumers/{consumer_id}
// /assignments

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { consumerPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema, partitionKey } from '../resource.ts'
import { assignmentResource, assignmentSchema } from './assignment.ts'
import { consumerOf } from './consumer.ts'
import { groupOf } from './consumerGroup.ts'

export const listAssignments: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/consumers/:consumer_id/assignments',
    {
      schema: {
        operationId: 'listKafkaConsumerAssignment',
        summary: 'List the partitions that are assigned to a consumer',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(consumerPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaConsumerAssignmentList', assignmentSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const group = await groupOf(context.admin, request.params)
      const member = consumerOf(group, request.params)
      const page = listPage(
        `assignments of ${member.memberId}`,
        member.assignment,
        ({ topic, partition }) => partitionKey(topic, partition),
        request.query,
      )
      const data = page.entries.map((place) =>
        assignmentResource(links, group.groupId, member, place),
      )
      return listAnswer('KafkaConsumerAssignmentList', request, page, data)
    },
  )
}
