// GET /v3/clusters/{cluster_id}/broker-configs

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { allBrokers, clusterConfigResource, clusterConfigSchema, configsOf } from './config.ts'

export const listClusterConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/broker-configs',
    {
      schema: {
        operationId: 'listKafkaClusterConfigs',
        summary: 'List the configuration of all brokers',
        description:
          'Dynamic configurations set for all brokers. Other configurations of a broker are listed with the broker.',
        tags: ['Configs (v3)'],
        params: Type.Object(clusterPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaClusterConfigList', clusterConfigSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const entries = await configsOf(admin, allBrokers)
      const page = listPage('configs of the cluster', entries, ({ name }) => name, request.query)
      const data = page.entries.map((entry) => clusterConfigResource(links, entry))
      return listAnswer('KafkaClusterConfigList', request, page, data)
    },
  )
}
