// GET /v3/clusters/{cluster_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { clusterResource, clusterSchema } from './cluster.ts'

export const getCluster: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id',
    {
      schema: {
        operationId: 'getKafkaCluster',
        summary: 'Get a cluster',
        tags: ['Cluster (v3)'],
        params: Type.Object(clusterPath),
        response: { 200: clusterSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      return clusterResource(links, await context.admin.describeCluster())
    },
  )
}
