// DELETE /v3/clusters/{cluster_id}/topics/{topic_name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'

export const deleteTopic: AdminRoute = (server, context) => {
  server.delete(
    '/v3/clusters/:cluster_id/topics/:topic_name',
    {
      schema: {
        operationId: 'deleteKafkaTopic',
        summary: 'Delete a topic with its records',
        tags: ['Topic (v3)'],
        params: Type.Object(topicPath),
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      await context.admin.deleteTopics([request.params.topic_name])
      return await reply.code(204).send(null)
    },
  )
}
