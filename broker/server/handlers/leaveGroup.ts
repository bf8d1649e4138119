// Members leave: one of its own accord, or, from version 3, several at the wish of a tool.

import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

const batchedVersion = 3

export const leaveGroupHandler = handler(leaveGroup, (request, { broker, apiVersion }) => {
  const { groupId, memberId, members } = request
  if (groupId === '') {
    return { errorCode: ErrorCode.invalidGroupId, members: [] }
  }
  if (apiVersion < batchedVersion) {
    const [errorCode] = broker.groups.leave(groupId, [{ memberId, groupInstanceId: null }])
    return { errorCode: errorCode!, members: [] }
  }
  const codes = broker.groups.leave(groupId, members)
  return {
    errorCode: ErrorCode.none,
    members: members.map((member, index) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      errorCode: codes[index]!,
    })),
  }
})
