// GET /v3/clusters: lists the one cluster that this server administers.

import type { AdminRoute } from '../../adminRoute.ts'
import { baseUrl } from '../../paging.ts'
import { Links } from '../links.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { clusterResource, clusterSchema } from './cluster.ts'

export const listClusters: AdminRoute = (server, { admin }) => {
  server.get(
    '/v3/clusters',
    {
      schema: {
        operationId: 'listKafkaClusters',
        summary: 'List clusters',
        description: 'The list contains the one cluster that this server administers.',
        tags: ['Cluster (v3)'],
        querystring: listQuery,
        response: { 200: listSchema('KafkaClusterList', clusterSchema) },
      },
    },
    async (request) => {
      const cluster = await admin.describeCluster()
      const links = new Links(baseUrl(request), cluster.clusterId)
      const page = listPage('clusters', [cluster], ({ clusterId }) => clusterId, request.query)
      const data = page.entries.map((entry) => clusterResource(links, entry))
      return listAnswer('KafkaClusterList', request, page, data)
    },
  )
}
