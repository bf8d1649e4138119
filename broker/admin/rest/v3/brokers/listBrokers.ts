// GET /v3/clusters/{cluster_id}/brokers

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { brokerResource, brokerSchema } from './broker.ts'

export const listBrokers: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/brokers',
    {
      schema: {
        operationId: 'listKafkaBrokers',
        summary: 'List brokers',
        tags: ['Broker (v3)'],
        params: Type.Object(clusterPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaBrokerList', brokerSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { brokers } = await context.admin.describeCluster()
      const page = listPage('brokers', brokers, ({ id }) => id, request.query)
      const data = page.entries.map((broker) => brokerResource(links, broker))
      return listAnswer('KafkaBrokerList', request, page, data)
    },
  )
}
