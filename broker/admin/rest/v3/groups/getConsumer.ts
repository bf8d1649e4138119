// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/consumers/{consumer_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { consumerPath } from '../pathParameters.ts'
import { consumerOf, consumerResource, consumerSchema } from './consumer.ts'
import { groupOf } from './consumerGroup.ts'

export const getConsumer: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/consumers/:consumer_id',
    {
      schema: {
        operationId: 'getKafkaConsumer',
        summary: 'Get a consumer of a group',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(consumerPath),
        response: { 200: consumerSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const group = await groupOf(context.admin, request.params)
      return consumerResource(links, group.groupId, consumerOf(group, request.params))
    },
  )
}
