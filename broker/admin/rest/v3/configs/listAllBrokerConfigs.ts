// GET /v3/clusters/{cluster_id}/brokers/-/configs: lists the configurations of all brokers.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listSchema } from '../resource.ts'
import { brokerConfigResource, brokerConfigSchema, entriesOf, ownersQuery } from './config.ts'

/** Each broker has about 130 entries. */
const mostBrokers = 50

export const listAllBrokerConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/brokers/-/configs',
    {
      schema: {
        operationId: 'listKafkaAllBrokerConfigs',
        summary: 'List the configurations of all brokers',
        tags: ['Configs (v3)'],
        params: Type.Object(clusterPath),
        querystring: ownersQuery('brokers', mostBrokers),
        response: { 200: listSchema('KafkaBrokerConfigList', brokerConfigSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { page_size = mostBrokers, ...query } = request.query
      const ids = (await admin.describeCluster()).brokers.map(({ id }) => id)
      const page = listPage('configs of brokers', ids, (id) => id, { ...query, page_size })
      const brokers = await admin.describeConfigs(
        page.entries.map((id) => ({ type: 'broker', name: String(id) })),
      )
      const data = brokers.flatMap((broker) => {
        const id = Number(broker.resource.name)
        return entriesOf(broker).map((entry) => brokerConfigResource(links, id, entry))
      })
      return listAnswer('KafkaBrokerConfigList', request, page, data)
    },
  )
}
