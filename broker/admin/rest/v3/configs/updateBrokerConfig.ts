// PUT /v3/clusters/{cluster_id}/brokers/{broker_id}/configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { brokerOf } from '../brokers/broker.ts'
import { linksOf } from '../links.ts'
import { brokerPath, configName } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { changeKnownConfigs, configUpdateSchema, setting } from './configChange.ts'

export const updateBrokerConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.put(
    '/v3/clusters/:cluster_id/brokers/:broker_id/configs/:name',
    {
      schema: {
        operationId: 'updateKafkaBrokerConfig',
        summary: 'Set one configuration of a broker',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...brokerPath, ...configName }),
        body: configUpdateSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const resource = { type: 'broker', name: String(id) } as const
      await changeKnownConfigs(admin, resource, setting(request.params.name, request.body))
      return await reply.code(204).send(null)
    },
  )
}
