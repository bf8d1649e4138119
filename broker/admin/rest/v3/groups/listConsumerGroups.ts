// GET /v3/clusters/{cluster_id}/consumer-groups

import { Type } from 'typebox'
import type { GroupDescription } from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema } from '../resource.ts'
import { consumerGroupResource, consumerGroupSchema, isConsumerGroup } from './consumerGroup.ts'

export const listConsumerGroups: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups',
    {
      schema: {
        operationId: 'listKafkaConsumerGroups',
        summary: 'List consumer groups',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(clusterPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaConsumerGroupList', consumerGroupSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const listed = (await admin.listGroups()).filter(isConsumerGroup)
      const page = listPage('groups', listed, ({ groupId }) => groupId, request.query)
      const groups = await admin.describeGroups(page.entries.map(({ groupId }) => groupId))
      const data = groups.filter(isThere).map((group) => consumerGroupResource(links, group))
      return listAnswer('KafkaConsumerGroupList', request, page, data)
    },
  )
}

/** A group may have been deleted after it was listed. */
function isThere({ groupId, errorCode, errorMessage }: GroupDescription): boolean {
  if (errorCode === ErrorCode.groupIdNotFound) return false
  if (errorCode !== ErrorCode.none) throw kafkaFailure(errorCode, errorMessage ?? groupId)
  return true
}
