// GET /v3/clusters/{cluster_id}/topics/{topic_name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { topicFigures, topicResource, topicSchema } from './topic.ts'

export const getTopic: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name',
    {
      schema: {
        operationId: 'getKafkaTopic',
        summary: 'Get a topic',
        tags: ['Topic (v3)'],
        params: Type.Object(topicPath),
        querystring: Type.Object({
          include_authorized_operations: Type.Optional(
            Type.Boolean({
              default: false,
              description: 'Also return the operations that this server may perform.',
            }),
          ),
        }),
        response: { 200: topicSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const authorizedOperations = request.query.include_authorized_operations ?? false
      const names = [request.params.topic_name]
      const [topic] = await context.admin.describeTopics(names, { authorizedOperations })
      return topicResource(links, topicFigures(topic!))
    },
  )
}
