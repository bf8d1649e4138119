// DELETE /v3/clusters/{cluster_id}/brokers/{broker_id}/configs/{name}: resets to the default.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { brokerOf } from '../brokers/broker.ts'
import { linksOf } from '../links.ts'
import { brokerPath, configName } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { changeKnownConfigs, resetting } from './configChange.ts'

export const resetBrokerConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.delete(
    '/v3/clusters/:cluster_id/brokers/:broker_id/configs/:name',
    {
      schema: {
        operationId: 'resetKafkaBrokerConfig',
        summary: 'Reset one configuration of a broker to its default',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...brokerPath, ...configName }),
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const resource = { type: 'broker', name: String(id) } as const
      await changeKnownConfigs(admin, resource, resetting(request.params.name))
      return await reply.code(204).send(null)
    },
  )
}
