// POST /v3/clusters/{cluster_id}/brokers/{broker_id}/configs:alter: applies several changes
// atomically.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { brokerOf } from '../brokers/broker.ts'
import { linksOf } from '../links.ts'
import { brokerPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { batchChanges, changeKnownConfigs, configBatchSchema } from './configChange.ts'

export const alterBrokerConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.post(
    '/v3/clusters/:cluster_id/brokers/:broker_id/configs::alter',
    {
      schema: {
        operationId: 'updateKafkaBrokerConfigs',
        summary: 'Change several configurations of a broker, atomically',
        tags: ['Configs (v3)'],
        params: Type.Object(brokerPath),
        body: configBatchSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const resource = { type: 'broker', name: String(id) } as const
      const { validate_only: validateOnly } = request.body
      await changeKnownConfigs(admin, resource, batchChanges(request.body), validateOnly)
      return await reply.code(204).send(null)
    },
  )
}
