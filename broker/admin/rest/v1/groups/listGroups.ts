// `GET /api/v1/groups`: the groups of the cluster.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata, pageOf, pageQuery } from '../../paging.ts'
import { groupState } from './groupSchemas.ts'

const answer = Type.Object({
  kind: Type.Literal('GroupList'),
  metadata: listMetadata,
  data: Type.Array(
    Type.Object({
      group: Type.String(),
      state: groupState,
      type: Type.String({ description: '`classic`, or `consumer` for the protocol of KIP-848.' }),
      protocol_type: Type.String({
        description: '`consumer`; empty for a group that only commits offsets.',
      }),
      coordinator: Type.Integer({ description: 'Broker id of the coordinator.' }),
    }),
  ),
})

export const listGroups: AdminRoute = (server, { admin }) => {
  server.get(
    '/api/v1/groups',
    {
      schema: {
        operationId: 'listGroups',
        tags: ['Groups'],
        summary: 'List the groups',
        querystring: Type.Object(pageQuery),
        response: { 200: answer },
      },
    },
    async (request) => {
      const groups = await admin.listGroups()
      const page = pageOf('groups', groups, ({ groupId }) => groupId, request.query)
      return {
        kind: 'GroupList' as const,
        metadata: pageMetadata(request, page.nextToken),
        data: page.entries.map(({ groupId, state, groupType, protocolType, coordinator }) => ({
          ...{ group: groupId, state, type: groupType, protocol_type: protocolType, coordinator },
        })),
      }
    },
  )
}
