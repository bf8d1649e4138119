// GET /v3/clusters/{cluster_id}/brokers/{broker_id}/configs

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { brokerOf } from '../brokers/broker.ts'
import { linksOf } from '../links.ts'
import { brokerPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { brokerConfigResource, brokerConfigSchema, configsOf } from './config.ts'

export const listBrokerConfigs: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/brokers/:broker_id/configs',
    {
      schema: {
        operationId: 'listKafkaBrokerConfigs',
        summary: 'List the configuration of a broker',
        tags: ['Configs (v3)'],
        params: Type.Object(brokerPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaBrokerConfigList', brokerConfigSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { id } = await brokerOf(admin, request.params.broker_id)
      const resource = { type: 'broker', name: String(id) } as const
      const entries = await configsOf(admin, resource)
      const page = listPage(`configs of broker ${id}`, entries, ({ name }) => name, request.query)
      const data = page.entries.map((entry) => brokerConfigResource(links, id, entry))
      return listAnswer('KafkaBrokerConfigList', request, page, data)
    },
  )
}
