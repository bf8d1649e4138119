// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/lags

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { groupPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema, partitionKey } from '../resource.ts'
import { groupOf } from './consumerGroup.ts'
import { lagResource, lagSchema, lagsOf } from './lag.ts'

export const listLags: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/lags',
    {
      schema: {
        operationId: 'listKafkaConsumerLags',
        summary: 'List the lag of a group by partition',
        description: 'Lists the partitions with committed offsets.',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(groupPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaConsumerLagList', lagSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const group = await groupOf(admin, request.params)
      const page = listPage(
        `lags of ${group.groupId}`,
        await lagsOf(admin, group),
        ({ topic, partition }) => partitionKey(topic, partition),
        request.query,
      )
      const data = page.entries.map((lag) => lagResource(links, group.groupId, lag))
      return listAnswer('KafkaConsumerLagList', request, page, data)
    },
  )
}
