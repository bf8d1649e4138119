// GET /v3/clusters/{cluster_id}/topics/{topic_name}/configs/{name}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { configName, topicPath } from '../pathParameters.ts'
import { configOf, topicConfigResource, topicConfigSchema } from './config.ts'

export const getTopicConfig: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/configs/:name',
    {
      schema: {
        operationId: 'getKafkaTopicConfig',
        summary: 'Get one configuration of a topic',
        tags: ['Configs (v3)'],
        params: Type.Object({ ...topicPath, ...configName }),
        response: { 200: topicConfigSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic } = request.params
      const resource = { type: 'topic', name: topic } as const
      const entry = await configOf(admin, resource, request.params.name)
      return topicConfigResource(links, topic, entry)
    },
  )
}
