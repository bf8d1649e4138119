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
          'Partitions can only be added. Records with keys go to other partitions than before.',
        tags: ['Topic (v3)'],
        params: Type.Object(topicPath),
        body: Type.Object({
          partitions_count: Type.Integer({
            minimum: 1,
            maximum: 2_147_483_647,
            description: 'How many there shall be in all.',
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
      // Brokers may hear of new partitions a moment after their controller has added them.
      return topicResource(links, { ...topicFigures(topic), partitionCount })
    },
  )
}
