// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { groupPath } from '../pathParameters.ts'
import { consumerGroupResource, consumerGroupSchema, groupOf } from './consumerGroup.ts'

export const getConsumerGroup: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id',
    {
      schema: {
        operationId: 'getKafkaConsumerGroup',
        summary: 'Get a consumer group',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(groupPath),
        response: { 200: consumerGroupSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      return consumerGroupResource(links, await groupOf(context.admin, request.params))
    },
  )
}
