// PATCH /v3/clusters/{cluster_id}/topics/{topic_name}: adds partitions.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { topicFigures, topicOf, topicResource, topicSchema } from './topic.ts'

export const updatePartitionCount: AdminRoute = (server, context) => {
  const { admin } = context
  server.patch(
    '/v3/clusters/:cluster_id/topics/:topic_name',
    {
      schema: {
        operationId: 'updatePartitionCountKafkaTopic',
        summary: 'Add partitions to a topic',
        description:
          'Partitions can only be added. Keys are then mapped to other partitions than before.',
        tags: ['Topic (v3)'],
        params: Type.Object(topicPath),
        body: Type.Object({
          partitions_count: Type.Integer({
            minimum: 1,
            maximum: 2_147_483_647,
            description: 'Total number of partitions.',
          }),
        }),
        response: { 200: topicSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const topic = await topicOf(admin, request.params.topic_name)
      const { partitions_count: partitionCount } = request.body
      await admin.createPartitions(topic.name, partitionCount)
      // Brokers may learn of new partitions shortly after the controller has added them.
      return topicResource(links, { ...topicFigures(topic), partitionCount })
    },
  )
}
