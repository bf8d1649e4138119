// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/{partition_id}/replicas/{broker_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf } from '../links.ts'
import { brokerId, partitionPath } from '../pathParameters.ts'
import { partitionOf } from './partition.ts'
import { replicaResource, replicaSchema } from './replica.ts'

export const getReplica: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/:partition_id/replicas/:broker_id',
    {
      schema: {
        operationId: 'getKafkaReplica',
        summary: 'Get the replica of a partition on a broker',
        tags: ['Replica (v3)'],
        params: Type.Object({ ...partitionPath, broker_id: brokerId }),
        response: { 200: replicaSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic, broker_id: broker } = request.params
      const partition = await partitionOf(context.admin, request.params)
      if (!partition.replicas.includes(broker)) {
        throw new RestError(
          404,
          'UNKNOWN_REPLICA',
          `${topic}-${partition.partition} has no replica on broker ${broker}`,
          `use one of the brokers that have a replica: ${partition.replicas.join(', ')}`,
        )
      }
      return replicaResource(links, topic, partition, broker)
    },
  )
}
