// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/{partition_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { partitionPath } from '../pathParameters.ts'
import { partitionOf, partitionResource, partitionSchema } from './partition.ts'

export const getPartition: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/:partition_id',
    {
      schema: {
        operationId: 'getKafkaPartition',
        summary: 'Get a partition',
        tags: ['Partition (v3)'],
        params: Type.Object(partitionPath),
        response: { 200: partitionSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const partition = await partitionOf(context.admin, request.params)
      return partitionResource(links, request.params.topic_name, partition)
    },
  )
}
