// `DELETE /api/v1/groups/{group}`: deletes a group without members, and its offsets.

import { Type } from 'typebox'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import {
  describedGroup,
  groupInUse,
  groupParams,
  hasMembers,
  unknownGroup,
} from './groupSchemas.ts'

export const deleteGroup: AdminRoute = (server, { admin }) => {
  server.delete(
    '/api/v1/groups/:group',
    {
      schema: {
        operationId: 'deleteGroup',
        tags: ['Groups'],
        summary: 'Delete a group',
        description: 'Deletes the group and its offsets. Refused while the group has members.',
        params: groupParams,
        response: { 204: Type.Null({ description: 'The group is deleted.' }) },
      },
    },
    async (request, reply) => {
      const { group } = request.params
      const described = await describedGroup(admin, group)
      if (hasMembers(described)) throw groupInUse(described)
      const [outcome] = await admin.deleteGroups([group])
      const { errorCode, errorMessage } = outcome!
      if (errorCode === ErrorCode.groupIdNotFound) throw unknownGroup(group)
      if (errorCode !== ErrorCode.none) throw kafkaFailure(errorCode, errorMessage ?? group)
      return reply.code(204).send(null)
    },
  )
}
