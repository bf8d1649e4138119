// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/consumers

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { groupPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { consumerResource, consumerSchema } from './consumer.ts'
import { groupOf } from './consumerGroup.ts'

export const listConsumers: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/consumers',
    {
      schema: {
        operationId: 'listKafkaConsumers',
        summary: 'List the consumers of a group',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(groupPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaConsumerList', consumerSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { groupId, members } = await groupOf(context.admin, request.params)
      const list = `consumers of ${groupId}`
      const page = listPage(list, members, ({ memberId }) => memberId, request.query)
      const data = page.entries.map((member) => consumerResource(links, groupId, member))
      return listAnswer('KafkaConsumerList', request, page, data)
    },
  )
}
