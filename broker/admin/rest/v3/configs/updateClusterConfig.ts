// PUT /v3/clusters/{cluster_id}/broker-configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath, configName } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { allBrokers } from './config.ts'
import { changeConfigs, configUpdateSchema, setting } from './configChange.ts'

export const updateClusterConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.put(
    '/v3/clusters/:cluster_id/broker-configs/:name',
    {
      schema: {
        operationId: 'updateKafkaClusterConfig',
        summary: 'Set one configuration of all brokers',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...clusterPath, ...configName }),
        body: configUpdateSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      await changeConfigs(admin, allBrokers, setting(request.params.name, request.body))
      return await reply.code(204).send(null)
    },
  )
}
