// DELETE /v3/clusters/{cluster_id}/broker-configs/{name}: resets to the default.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath, configName } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { allBrokers } from './config.ts'
import { changeConfigs, resetting } from './configChange.ts'

export const resetClusterConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.delete(
    '/v3/clusters/:cluster_id/broker-configs/:name',
    {
      schema: {
        operationId: 'deleteKafkaClusterConfig',
        summary: 'Reset one configuration of all brokers to its default',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...clusterPath, ...configName }),
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      await changeConfigs(admin, allBrokers, resetting(request.params.name))
      return await reply.code(204).send(null)
    },
  )
}
