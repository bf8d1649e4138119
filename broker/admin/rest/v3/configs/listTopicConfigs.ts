// GET /v3/clusters/{cluster_id}/topics/{topic_name}/configs

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { configsOf, topicConfigResource, topicConfigSchema } from './config.ts'

export const listTopicConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/configs',
    {
      schema: {
        operationId: 'listKafkaTopicConfigs',
        summary: 'List the configuration of a topic',
        tags: ['Configs (v3)'],
        params: Type.Object(topicPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaTopicConfigList', topicConfigSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic } = request.params
      const resource = { type: 'topic', name: topic } as const
      const entries = await configsOf(admin, resource)
      const page = listPage(`configs of ${topic}`, entries, ({ name }) => name, request.query)
      const data = page.entries.map((entry) => topicConfigResource(links, topic, entry))
      return listAnswer('KafkaTopicConfigList', request, page, data)
    },
  )
}
