// POST /v3/clusters/{cluster_id}/topics

import { Type } from 'typebox'
import type { NewTopic } from '../../../../../protocol/client/admin.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf } from '../links.ts'
import { brokerId, clusterPath } from '../pathParameters.ts'
import { nullable, type ResourceOf } from '../resource.ts'
import { topicResource, topicSchema } from './topic.ts'

const newTopicSchema = Type.Object({
  topic_name: Type.String({ minLength: 1, maxLength: 249 }),
  partitions_count: Type.Optional(
    Type.Integer({
      minimum: -1,
      maximum: 2_147_483_647,
      description: "Default, also for -1: the broker's default.",
    }),
  ),
  replication_factor: Type.Optional(
    Type.Integer({
      minimum: -1,
      maximum: 32_767,
      description: "Default, also for -1: the broker's default.",
    }),
  ),
  replicas_assignments: Type.Optional(
    Type.Record(Type.String({ pattern: '^\\d{1,6}$' }), Type.Array(brokerId), {
      description:
        'Brokers of each partition, the leader first; replaces partitions_count and replication_factor.',
    }),
  ),
  configs: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), value: Type.Optional(nullable(Type.String())) })),
  ),
  validate_only: Type.Optional(
    Type.Boolean({ default: false, description: 'Only validate the request.' }),
  ),
})

export const createTopic: AdminRoute = (server, context) => {
  const { admin } = context
  server.post(
    '/v3/clusters/:cluster_id/topics',
    {
      schema: {
        operationId: 'createKafkaTopic',
        summary: 'Create a topic',
        tags: ['Topic (v3)'],
        params: Type.Object(clusterPath),
        body: newTopicSchema,
        response: { 200: topicSchema, 201: topicSchema },
      },
    },
    async (request, reply) => {
      const links = await linksOf(context, request, request.params)
      const { body } = request
      request.changed = { topic: body.topic_name }
      const validateOnly = body.validate_only ?? false
      const [created] = await admin.createTopics([newTopic(body)], { validateOnly })
      const { name, partitions, replicationFactor } = created!
      const figures = { name, isInternal: false, partitionCount: partitions, replicationFactor }
      return await reply.code(validateOnly ? 200 : 201).send(topicResource(links, figures))
    },
  )
}

function newTopic(body: ResourceOf<typeof newTopicSchema>): NewTopic {
  const { topic_name: name, partitions_count, replication_factor, replicas_assignments } = body
  const configs = Object.fromEntries(
    (body.configs ?? []).map(({ name, value = null }) => [name, value]),
  )
  if (replicas_assignments === undefined) {
    return {
      name,
      partitions: partitions_count ?? -1,
      replicationFactor: replication_factor ?? -1,
      configs,
    }
  }
  if ((partitions_count ?? replication_factor) !== undefined) {
    throw malformed(
      'replicas_assignments excludes partitions_count and replication_factor',
      'remove either replicas_assignments or the other two',
    )
  }
  return { name, assignments: assignments(replicas_assignments), configs }
}

function assignments(replicas: Readonly<Record<string, number[]>>): number[][] {
  const byPartition = new Map(Object.entries(replicas).map(([key, ids]) => [Number(key), ids]))
  const count = byPartition.size
  const inOrder = Array.from({ length: count }, (_, partition) => byPartition.get(partition))
  const isComplete = count > 0 && count === Object.keys(replicas).length
  if (!isComplete || inOrder.includes(undefined)) {
    throw malformed(
      'replicas_assignments has gaps: partitions are numbered from 0',
      'list the brokers of every partition once',
    )
  }
  return inOrder as number[][]
}

function malformed(message: string, action: string): RestError {
  return new RestError(40002, 'INVALID_REPLICA_ASSIGNMENT', message, action)
}
