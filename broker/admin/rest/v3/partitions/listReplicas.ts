// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/{partition_id}/replicas

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { partitionPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { partitionOf } from './partition.ts'
import { replicaResource, replicaSchema } from './replica.ts'

export const listReplicas: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/:partition_id/replicas',
    {
      schema: {
        operationId: 'listKafkaReplicas',
        summary: 'List the replicas of a partition',
        tags: ['Replica (v3)'],
        params: Type.Object(partitionPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaReplicaList', replicaSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic } = request.params
      const partition = await partitionOf(context.admin, request.params)
      const list = `replicas of ${topic}-${partition.partition}`
      const page = listPage(list, partition.replicas, (broker) => broker, request.query)
      const data = page.entries.map((broker) => replicaResource(links, topic, partition, broker))
      return listAnswer('KafkaReplicaList', request, page, data)
    },
  )
}
