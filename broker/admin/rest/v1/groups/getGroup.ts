// `GET /api/v1/groups/{group}`: the state of a group, its members and their partitions.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { describedGroup, groupParams, groupState, unknownGroup } from './groupSchemas.ts'

const answer = Type.Object({
  group: Type.String(),
  state: groupState,
  type: Type.String({ description: '`classic`, or `consumer` for the protocol of KIP-848.' }),
  protocol_type: Type.String(),
  assignor: Type.String({ description: '`range`, `uniform`, ...; empty if there is none.' }),
  coordinator: Type.Integer({ description: 'Broker id of the coordinator.' }),
  members: Type.Array(
    Type.Object({
      member_id: Type.String(),
      instance_id: Type.Union([Type.String(), Type.Null()], {
        description: 'group.instance.id of a static member.',
      }),
      client_id: Type.String(),
      host: Type.String(),
      assignment: Type.Array(Type.Object({ topic: Type.String(), partition: Type.Integer() })),
    }),
  ),
})

export const getGroup: AdminRoute = (server, { admin }) => {
  server.get(
    '/api/v1/groups/:group',
    {
      schema: {
        operationId: 'getGroup',
        tags: ['Groups'],
        summary: 'Get a group and its members',
        params: groupParams,
        response: { 200: answer },
      },
    },
    async ({ params: { group } }) => {
      const described = await describedGroup(admin, group)
      if (described.state === 'Dead') throw unknownGroup(group)
      return {
        group,
        state: described.state,
        type: described.groupType,
        protocol_type: described.protocolType,
        assignor: described.assignor,
        coordinator: described.coordinator.id,
        members: described.members.map((member) => ({
          member_id: member.memberId,
          instance_id: member.instanceId,
          client_id: member.clientId,
          host: member.clientHost,
          assignment: member.assignment.map(({ topic, partition }) => ({ topic, partition })),
        })),
      }
    },
  )
}
