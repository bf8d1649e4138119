// GET /v3/clusters/{cluster_id}/topics

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { topicFigures, topicResource, topicSchema } from './topic.ts'

export const listTopics: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics',
    {
      schema: {
        operationId: 'listKafkaTopics',
        summary: 'List topics',
        tags: ['Topic (v3)'],
        params: Type.Object(clusterPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaTopicList', topicSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const topics = await context.admin.describeTopics()
      const page = listPage('topics', topics, ({ name }) => name, request.query)
      const data = page.entries.map((topic) => topicResource(links, topicFigures(topic)))
      return listAnswer('KafkaTopicList', request, page, data)
    },
  )
}
