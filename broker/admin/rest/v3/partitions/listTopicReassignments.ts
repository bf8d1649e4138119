// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/-/reassignment

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { topicOf } from '../topics/topic.ts'
import { reassignmentResource, reassignmentSchema } from './reassignment.ts'

export const listTopicReassignments: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/-/reassignment',
    {
      schema: {
        operationId: 'listKafkaTopicReassignments',
        summary: 'List the reassignments of a topic that are in progress',
        tags: ['Partition (v3)'],
        params: Type.Object(topicPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaReassignmentList', reassignmentSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { name } = await topicOf(admin, request.params.topic_name)
      const page = listPage(
        `reassignments of ${name}`,
        await admin.listReassignments([name]),
        ({ partition }) => partition,
        request.query,
      )
      const data = page.entries.map((each) => reassignmentResource(links, each))
      return listAnswer('KafkaReassignmentList', request, page, data)
    },
  )
}
