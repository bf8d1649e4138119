// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/{partition_id}/reassignment

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf } from '../links.ts'
import { partitionPath } from '../pathParameters.ts'
import { partitionOf } from './partition.ts'
import { reassignmentResource, reassignmentSchema } from './reassignment.ts'

export const getReassignment: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/:partition_id/reassignment',
    {
      schema: {
        operationId: 'getKafkaReassignment',
        summary: 'Get the reassignment of a partition that is in progress',
        tags: ['Partition (v3)'],
        params: Type.Object(partitionPath),
        response: { 200: reassignmentSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic } = request.params
      const { partition } = await partitionOf(admin, request.params)
      const found = (await admin.listReassignments([topic])).find(
        (each) => each.partition === partition,
      )
      if (found !== undefined) return reassignmentResource(links, found)
      throw new RestError(
        404,
        'NO_REASSIGNMENT_IN_PROGRESS',
        `the replicas of ${topic}-${partition} are not being reassigned`,
        'no action is needed: no reassignment is in progress',
      )
    },
  )
}
