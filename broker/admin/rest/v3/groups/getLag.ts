// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/lags/{topic_name}
// /partitions/{partition_id}

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf, shortened } from '../links.ts'
import { groupPath, partitionPath } from '../pathParameters.ts'
import { groupOf } from './consumerGroup.ts'
import { lagResource, lagSchema, lagsOf } from './lag.ts'

export const getLag: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/lags/:topic_name/partitions/:partition_id',
    {
      schema: {
        operationId: 'getKafkaConsumerLag',
        summary: 'Get the lag of a group in a partition',
        tags: ['Consumer Group (v3)'],
        params: Type.Object({ ...groupPath, ...partitionPath }),
        response: { 200: lagSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic, partition_id: partition } = request.params
      const group = await groupOf(admin, request.params)
      const isWanted = (place: { topic: string; partition: number }) =>
        place.topic === topic && place.partition === partition
      const [lag] = await lagsOf(admin, group, isWanted)
      if (lag !== undefined) return lagResource(links, group.groupId, lag)
      throw new RestError(
        404,
        'NO_COMMITTED_OFFSET',
        `group ${shortened(group.groupId)} has committed no offset of ${shortened(topic)}-${partition}`,
        'list the lags of the group: they cover the partitions with committed offsets',
      )
    },
  )
}
