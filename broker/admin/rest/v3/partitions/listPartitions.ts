// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { topicOf } from '../topics/topic.ts'
import { partitionResource, partitionSchema } from './partition.ts'

export const listPartitions: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions',
    {
      schema: {
        operationId: 'listKafkaPartitions',
        summary: 'List the partitions of a topic',
        tags: ['Partition (v3)'],
        params: Type.Object(topicPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaPartitionList', partitionSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { name, partitions } = await topicOf(context.admin, request.params.topic_name)
      const list = `partitions of ${name}`
      const page = listPage(list, partitions, ({ partition }) => partition, request.query)
      const data = page.entries.map((partition) => partitionResource(links, name, partition))
      return listAnswer('KafkaPartitionList', request, page, data)
    },
  )
}
