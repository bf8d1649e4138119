// GET /v3/clusters/{cluster_id}/consumer-groups/{consumer_group_id}/lag-summary

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { type Links, linksOf, shortened } from '../links.ts'
import { groupPath } from '../pathParameters.ts'
import { nullable, type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { groupFields, groupOf } from './consumerGroup.ts'
import { type Lag, lagsOf } from './lag.ts'

const lagSummarySchema = resourceSchema('KafkaConsumerGroupLagSummary', {
  ...groupFields,
  max_lag_consumer_id: Type.String({ description: 'Empty if the partition is not assigned.' }),
  max_lag_instance_id: nullable(Type.String()),
  max_lag_client_id: Type.String(),
  max_lag_topic_name: Type.String(),
  max_lag_partition_id: Type.Integer(),
  max_lag: Type.Integer({ description: 'Lag of the partition with the largest lag.' }),
  total_lag: Type.Integer({ description: 'Sum over all partitions.' }),
  max_lag_consumer: relationship,
  max_lag_partition: relationship,
})

export const getLagSummary: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/consumer-groups/:consumer_group_id/lag-summary',
    {
      schema: {
        operationId: 'getKafkaConsumerGroupLagSummary',
        summary: 'Get the largest and the total lag of a group',
        tags: ['Consumer Group (v3)'],
        params: Type.Object(groupPath),
        response: { 200: lagSummarySchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const group = await groupOf(admin, request.params)
      const lags = await lagsOf(admin, group)
      if (lags.length > 0) return lagSummary(links, group.groupId, lags)
      throw new RestError(
        404,
        'NO_COMMITTED_OFFSET',
        `group ${shortened(group.groupId)} has no committed offsets for existing topics`,
        'retry after a consumer of the group has committed an offset',
      )
    },
  )
}

function lagSummary(
  links: Links,
  groupId: string,
  lags: readonly Lag[],
): ResourceOf<typeof lagSummarySchema> {
  const largest = lags.reduce((most, each) => (each.lag > most.lag ? each : most))
  const { topic, partition, consumer } = largest
  const path = ['consumer-groups', groupId] as const
  const consumerPath = consumer === undefined ? [] : [consumer.memberId]
  return {
    kind: 'KafkaConsumerGroupLagSummary',
    metadata: links.metadata(...path, 'lag-summary'),
    cluster_id: links.clusterId,
    consumer_group_id: groupId,
    max_lag_consumer_id: consumer?.memberId ?? '',
    max_lag_instance_id: consumer?.instanceId ?? null,
    max_lag_client_id: consumer?.clientId ?? '',
    max_lag_topic_name: topic,
    max_lag_partition_id: partition,
    max_lag: largest.lag,
    total_lag: lags.reduce((sum, { lag }) => sum + lag, 0),
    max_lag_consumer: links.related(...path, 'consumers', ...consumerPath),
    max_lag_partition: links.related('topics', topic, 'partitions', partition),
  }
}
