// GET /v3/clusters/{cluster_id}/topics/-/configs: lists the configurations of all topics.

import { Type } from 'typebox'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listSchema } from '../resource.ts'
import { entriesOf, ownersQuery, topicConfigResource, topicConfigSchema } from './config.ts'

/** Each topic has about 35 entries: a full page is 3 MB. */
const mostTopics = 200

export const listAllTopicConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/-/configs',
    {
      schema: {
        operationId: 'listKafkaAllTopicConfigs',
        summary: 'List the configurations of all topics',
        tags: ['Configs (v3)'],
        params: Type.Object(clusterPath),
        querystring: ownersQuery('topics', mostTopics),
        response: { 200: listSchema('KafkaTopicConfigList', topicConfigSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { page_size = mostTopics, ...query } = request.query
      const names = await admin.listTopics()
      const page = listPage('configs of topics', names, (name) => name, { ...query, page_size })
      const topics = await admin.describeConfigs(
        page.entries.map((name) => ({ type: 'topic', name })),
      )
      const data = topics
        // A topic may have been deleted after it was listed.
        .filter(({ errorCode }) => errorCode !== ErrorCode.unknownTopicOrPartition)
        .flatMap((topic) =>
          entriesOf(topic).map((entry) => topicConfigResource(links, topic.resource.name, entry)),
        )
      return listAnswer('KafkaTopicConfigList', request, page, data)
    },
  )
}
