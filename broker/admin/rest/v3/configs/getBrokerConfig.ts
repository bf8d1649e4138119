// GET /v3/clusters/{cluster_id}/brokers/{broker_id}/configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { brokerOf } from '../brokers/broker.ts'
import { linksOf } from '../links.ts'
import { brokerPath, configName } from '../pathParameters.ts'
import { brokerConfigResource, brokerConfigSchema, configOf } from './config.ts'

export const getBrokerConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/brokers/:broker_id/configs/:name',
    {
      schema: {
        operationId: 'getKafkaBrokerConfig',
        summary: 'Get one configuration of a broker',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...brokerPath, ...configName }),
        response: { 200: brokerConfigSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const resource = { type: 'broker', name: String(id) } as const
      const entry = await configOf(admin, resource, request.params.name)
      return brokerConfigResource(links, id, entry)
    },
  )
}
