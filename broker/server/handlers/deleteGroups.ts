// DeleteGroups: deletes empty groups, with their committed offsets.

import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { handler } from '../request/handler.ts'

export const deleteGroupsHandler = handler(deleteGroups, async (request, { broker }) => {
  const results = request.groupsNames.map(async (groupId) => ({
    groupId,
    errorCode: await broker.groups.deleteGroup(groupId),
  }))
  return { results: await Promise.all(results) }
})
