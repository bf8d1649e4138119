// PUT /v3/clusters/{cluster_id}/topics/{topic_name}/configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { configName, topicPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { changeKnownConfigs, configUpdateSchema, setting } from './configChange.ts'

export const updateTopicConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.put(
    '/v3/clusters/:cluster_id/topics/:topic_name/configs/:name',
    {
      schema: {
        operationId: 'updateKafkaTopicConfig',
        summary: 'Set one configuration of a topic',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...topicPath, ...configName }),
        body: configUpdateSchema,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const resource = { type: 'topic', name: request.params.topic_name } as const
      await changeKnownConfigs(admin, resource, setting(request.params.name, request.body))
      return await reply.code(204).send(null)
    },
  )
}
