// `GET /api/v1/topics/{topic}`: a topic and its partitions.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { logEnds } from '../groups/committedLag.ts'
import { topicParams } from './topicParams.ts'

const maybe = (description: string) => Type.Union([Type.Integer(), Type.Null()], { description })

const answer = Type.Object({
  topic: Type.String(),
  internal: Type.Boolean(),
  partitions: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      leader: maybe('Broker id of the leader; null if there is none.'),
      replicas: Type.Array(Type.Integer()),
      in_sync_replicas: Type.Array(Type.Integer()),
      log_start_offset: maybe(
        'Offset of the first record that can be read; null without a leader.',
      ),
      end_offset: maybe('Offset of the next record to be written; null without a leader.'),
    }),
  ),
})

export const getTopic: AdminRoute = (server, { admin }) => {
  server.get(
    '/api/v1/topics/:topic',
    {
      schema: {
        operationId: 'getTopic',
        tags: ['Topics'],
        summary: 'Get a topic and its partitions',
        params: topicParams,
        response: { 200: answer },
      },
    },
    async ({ params: { topic } }) => {
      const [described] = await admin.describeTopics([topic])
      const { isInternal, partitions } = described!
      const led = partitions.filter(({ leader }) => leader >= 0)
      const ends = await logEnds(
        admin,
        led.map(({ partition }) => ({ topic, partition })),
      )
      const byPartition = new Map(led.map(({ partition }, index) => [partition, ends[index]!]))
      return {
        topic,
        internal: isInternal,
        partitions: partitions.map(({ partition, leader, replicas, isr }) => ({
          partition,
          leader: leader < 0 ? null : leader,
          replicas: [...replicas],
          in_sync_replicas: [...isr],
          log_start_offset: byPartition.get(partition)?.start ?? null,
          end_offset: byPartition.get(partition)?.end ?? null,
        })),
      }
    },
  )
}
