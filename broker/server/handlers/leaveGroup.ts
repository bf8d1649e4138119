// LeaveGroup: removes members from a group: one that leaves or, from version 3 on, several that a
// tool removes.

import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

const batchedVersion = 3

export const leaveGroupHandler = handler(leaveGroup, async (request, { broker, apiVersion }) => {
  const { groupId, memberId, members } = request
  if (groupId === '') {
    return { errorCode: ErrorCode.invalidGroupId, members: [] }
  }
  if (apiVersion < batchedVersion) {
    const [errorCode] = await broker.groups.leave(groupId, [{ memberId, groupInstanceId: null }])
    return { errorCode: errorCode!, members: [] }
  }
  const coordinatorError = broker.groups.coordinatorError(groupId)
  if (coordinatorError !== ErrorCode.none) {
    return { errorCode: coordinatorError, members: [] }
  }
  const codes = await broker.groups.leave(groupId, members)
  return {
    errorCode: ErrorCode.none,
    members: members.map((member, index) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      errorCode: codes[index]!,
    })),
  }
})
