// GET /v3/clusters/{cluster_id}/broker-configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath, configName } from '../pathParameters.ts'
import { allBrokers, clusterConfigResource, clusterConfigSchema, configOf } from './config.ts'

export const getClusterConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/broker-configs/:name',
    {
      schema: {
        operationId: 'getKafkaClusterConfig',
        summary: 'Get one configuration of all brokers',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...clusterPath, ...configName }),
        response: { 200: clusterConfigSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const entry = await configOf(admin, allBrokers, request.params.name)
      return clusterConfigResource(links, entry)
    },
  )
}
