// `POST /api/v1/topics/{topic}/records:delete`: deletes the records of each given partition below
// an offset.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { topicParams } from '../topics/topicParams.ts'
import { partitionsOf } from './recordRange.ts'

const body = Type.Object(
  {
    partitions: Type.Array(
      Type.Object({
        partition: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }),
        before_offset: Type.Union(
          [Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Literal('end')],
          { description: 'Offset of the first record to keep; `end` deletes all records.' },
        ),
      }),
      { minItems: 1, maxItems: 10_000 },
    ),
  },
  { examples: [{ partitions: [{ partition: 0, before_offset: 1000 }] }] },
)

const answer = Type.Object({
  topic: Type.String(),
  partitions: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      log_start_offset: Type.Integer({ description: 'Offset of the first remaining record.' }),
    }),
  ),
})

export const deleteRecords: AdminRoute = (server, { admin }) => {
  server.post(
    '/api/v1/topics/:topic/records::delete',
    {
      schema: {
        operationId: 'deleteRecords',
        tags: ['Records'],
        summary: 'Delete the records below an offset',
        description: 'Cannot be undone. Refused for topics with cleanup.policy=compact only.',
        params: topicParams,
        body,
        response: { 200: answer },
      },
    },
    async (request) => {
      const { topic } = request.params
      const asked = request.body.partitions
      const partitions = asked.map(({ partition }) => partition)
      if (new Set(partitions).size < partitions.length) throw repeated()
      await partitionsOf(admin, topic, partitions)
      request.changed = { partitions: asked.length }
      const outcomes = await admin.deleteRecords(
        asked.map(({ partition, before_offset: before }) => ({
          ...{ topic, partition, offset: before === 'end' ? -1 : before },
        })),
      )
      return {
        topic,
        partitions: outcomes.map(({ errorCode, errorMessage, partition, lowWatermark }) => {
          const detail = errorMessage ?? `${topic}-${partition}`
          if (errorCode !== 0) throw kafkaFailure(errorCode, detail)
          return { partition, log_start_offset: lowWatermark }
        }),
      }
    },
  )
}

function repeated(): RestError {
  return new RestError(
    40002,
    'CONFLICTING_PARAMETERS',
    'body/partitions contains a partition twice',
    'give one offset per partition',
  )
}
