// GET /v3/clusters/{cluster_id}/topics/-/partitions/-/reassignment: lists the reassignments of all
// topics.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { linksOf } from '../links.ts'
import { clusterPath } from '../pathParameters.ts'
import { listAnswer, listPage, listQuery, listSchema, partitionKey } from '../resource.ts'
import { reassignmentResource, reassignmentSchema } from './reassignment.ts'

export const listAllReassignments: AdminRoute = (server, context) => {
  server.get(
    '/v3/clusters/:cluster_id/topics/-/partitions/-/reassignment',
    {
      schema: {
        operationId: 'listKafkaAllReassignments',
        summary: 'List the reassignments in progress',
        tags: ['Partition (v3)'],
        params: Type.Object(clusterPath),
        querystring: listQuery,
        response: { 200: listSchema('KafkaReassignmentList', reassignmentSchema) },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const page = listPage(
        'reassignments',
        await context.admin.listReassignments(),
        ({ topic, partition }) => partitionKey(topic, partition),
        request.query,
      )
      const data = page.entries.map((each) => reassignmentResource(links, each))
      return listAnswer('KafkaReassignmentList', request, page, data)
    },
  )
}
