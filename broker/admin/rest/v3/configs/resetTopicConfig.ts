// DELETE /v3/clusters/{cluster_id}/topics/{topic_name}/configs/{name}: resets to the default.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { configName, topicPath } from '../pathParameters.ts'
import { nothing } from '../resource.ts'
import { changeKnownConfigs, resetting } from './configChange.ts'

export const resetTopicConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.delete(
    '/v3/clusters/:cluster_id/topics/:topic_name/configs/:name',
    {
      schema: {
        operationId: 'resetKafkaTopicConfig',
        summary: 'Reset one configuration of a topic to its default',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...topicPath, ...configName }),
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await linksOf(context, request, request.params)
      const resource = { type: 'topic', name: request.params.topic_name } as const
      await changeKnownConfigs(admin, resource, resetting(request.params.name))
      return await reply.code(204).send(null)
    },
  )
}
