// `DELETE /api/v1/groups/{group}/offsets?topic=T`: deletes the committed offsets of a group for a
// topic.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { groupParams, partitionNumber, topicName } from './groupSchemas.ts'

const answer = Type.Object({
  group: Type.String(),
  deleted: Type.Array(Type.Object({ topic: Type.String(), partition: Type.Integer() })),
})

export const deleteGroupOffsets: AdminRoute = (server, { admin }) => {
  server.delete(
    '/api/v1/groups/:group/offsets',
    {
      schema: {
        operationId: 'deleteGroupOffsets',
        tags: ['Groups'],
        summary: 'Delete the offsets of a group for a topic',
        description:
          'Refused for topics that members of the group subscribe to. Without a committed offset, a group starts as its `auto.offset.reset` says.',
        params: groupParams,
        querystring: Type.Object({
          topic: topicName,
          partition: Type.Optional(
            Type.Array(partitionNumber, {
              maxItems: 200,
              description: 'Default: all partitions with a committed offset.',
            }),
          ),
        }),
        response: { 200: answer },
      },
    },
    async (request) => {
      const { group } = request.params
      const { topic, partition: wanted } = request.query
      const committed = (await admin.groupOffsets(group)).filter((place) => place.topic === topic)
      const places = committed
        .filter(({ partition }) => wanted === undefined || wanted.includes(partition))
        .map(({ partition }) => ({ topic, partition }))
      const missing = wanted?.find((each) => !places.some(({ partition }) => partition === each))
      if (places.length === 0 || missing !== undefined) throw nothing(group, topic, missing)
      request.changed = { topic, partitions: places.length }
      for (const outcome of await admin.deleteGroupOffsets(group, places)) {
        const { errorCode, errorMessage, partition } = outcome
        if (errorCode !== 0) throw kafkaFailure(errorCode, errorMessage ?? `${topic}-${partition}`)
      }
      return { group, deleted: places }
    },
  )
}

function nothing(group: string, topic: string, partition: number | undefined): RestError {
  const place = partition === undefined ? `topic ${topic}` : `${topic}-${partition}`
  return new RestError(
    40403,
    'NOTHING_COMMITTED',
    `group ${group} has committed no offset for ${place}`,
    'GET /api/v1/groups/{group}/offsets lists its committed offsets',
  )
}
