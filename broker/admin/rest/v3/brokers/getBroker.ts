// GET /v3/clusters/{cluster_id}/brokers/{broker_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { brokerPath } from '../pathParameters.ts'
import { brokerOf, brokerResource, brokerSchema } from './broker.ts'

export const getBroker: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/brokers/:broker_id',
    {
      schema: {
        operationId: 'getKafkaBroker',
        summary: 'Get a broker',
        tags: ['Broker (v3)'],
        params: Type.Object(brokerPath),
        response: { 200: brokerSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      return brokerResource(links, await brokerOf(context.admin, request.params.broker_id))
    },
  )
}
