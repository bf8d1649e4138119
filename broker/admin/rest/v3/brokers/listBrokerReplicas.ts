// GET /v3/clusters/{cluster_id}/brokers/{broker_id}/partition-replicas

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { replicaResource, replicaSchema } from '../partitions/replica.ts'
import { brokerPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema, partitionKey } from '../resource.ts'
import { brokerOf } from './broker.ts'

export const listBrokerReplicas: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/brokers/:broker_id/partition-replicas',
    {
      schema: {
        operationId: 'listKafkaBrokerReplicas',
        summary: 'List the replicas of a broker',
        tags: ['Replica (v3)'],
        params: Type.Object(brokerPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaReplicaList', replicaSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const replicas = (await admin.describeTopics()).flatMap(({ name, partitions }) =>
        partitions
          .filter((partition) => partition.replicas.includes(id))
          .map((partition) => ({ topic: name, partition })),
      )
      const page = listPage(
        `replicas of ${id}`,
        replicas,
        ({ topic, partition }) => partitionKey(topic, partition.partition),
        request.query,
      )
      const data = page.entries.map(({ topic, partition }) =>
        replicaResource(links, topic, partition, id),
      )
      return listAnswer('KafkaReplicaList', request, page, data)
    },
  )
}
