// POST /v3/clusters/{cluster_id}/topics/{topic_name}/configs:alter: applies several changes
// atomically.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { batchChanges, changeKnownConfigs, configBatchSchema } from './configChange.ts'

export const alterTopicConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.post(
    '/v3/clusters/:cluster_id/topics/:topic_name/configs::alter',
    {
      schema: {
        operationId: 'updateKafkaTopicConfigs',
        summary: 'Change several configurations of a topic, atomically',
        tags: ['Configs (v3)'],
        params: Type.Object(topicPath),
        body: configBatchSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const resource = { type: 'topic', name: request.params.topic_name } as const
      const { validate_only: validateOnly } = request.body
      await changeKnownConfigs(admin, resource, batchChanges(request.body), validateOnly)
      return await reply.code(204).send(null)
    },
  )
}
