// GET /v3/clusters/{cluster_id}/topics/{topic_name}/partitions/{partition_id}/offset

import { Type } from 'typebox'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import { linksOf } from '../links.ts'
import { partitionPath } from '../pathParameters.ts'
import { resourceSchema } from '../resource.ts'
import { partitionFields, partitionOf } from './partition.ts'

const offsetsSchema = resourceSchema('KafkaPartitionWithOffsets', {
  ...partitionFields,
  earliest_offset: Type.Integer({ description: 'First offset that can be read.' }),
  latest_offset: Type.Integer({ description: 'Offset after the last record.' }),
})

export const getPartitionOffsets: AdminRoute = (server, context) => {
  const { admin } = context
  server.get(
    '/v3/clusters/:cluster_id/topics/:topic_name/partitions/:partition_id/offset',
    {
      schema: {
        operationId: 'listKafkaPartitionOffsets',
        summary: 'Get the first and the next offset of a partition',
        tags: ['Partition (v3)'],
        params: Type.Object(partitionPath),
        response: { 200: offsetsSchema },
      },
    },
    async (request) => {
      const links = await linksOf(context, request, request.params)
      const { topic_name: topic } = request.params
      const { partition } = await partitionOf(admin, request.params)
      const questions = [OffsetSpec.earliest, OffsetSpec.latest].map((at) => {
        return { topic, partition, at }
      })
      const [earliest, latest] = (await admin.findOffsets(questions)).map((found) => {
        if (found.errorCode === ErrorCode.none) return found.offset
        throw kafkaFailure(found.errorCode, found.errorMessage ?? `${topic}-${partition}`)
      })
      return {
        kind: 'KafkaPartitionWithOffsets' as const,
        metadata: links.metadata('topics', topic, 'partitions', partition, 'offset'),
        cluster_id: links.clusterId,
        topic_name: topic,
        partition_id: partition,
        earliest_offset: earliest!,
        latest_offset: latest!,
      }
    },
  )
}
