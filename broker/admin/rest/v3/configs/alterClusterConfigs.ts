// POST /v3/clusters/{cluster_id}/broker-configs:alter: applies several changes atomically.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { allBrokers } from './config.ts'
import { batchChanges, changeConfigs, configBatchSchema } from './configChange.ts'

export const alterClusterConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.post(
    '/v3/clusters/:cluster_id/broker-configs::alter',
    {
      schema: {
        operationId: 'updateKafkaClusterConfigs',
        summary: 'Change several configurations of all brokers, atomically',
        tags: ['Configs (v3)'],
        params: Type.Object(clusterPath),
        body: configBatchSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const { validate_only: validateOnly } = request.body
      await changeConfigs(admin, allBrokers, batchChanges(request.body), validateOnly)
      return await reply.code(204).send(null)
    },
  )
}
