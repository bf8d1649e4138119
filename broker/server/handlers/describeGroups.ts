// DescribeGroups: describes classic groups with their state, protocol and members.

import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { ClassicGroup } from '../../groups/classic/classicGroup.ts'
import { metadataFor } from '../../groups/classic/groupMember.ts'
import { operationsNotRequested } from '../gate/connectionAccess.ts'
import { handler } from '../request/handler.ts'

/** First version with an error for an unknown group; earlier ones describe it as dead. */
const notFoundVersion = 6

/** Approximate memory of one member, as an object and in the answer, in bytes. */
const memberBytes = 250

export const describeGroupsHandler = handler(describeGroups, (request, context) => {
  const allowance = context.answerMemory.allowance()
  const groups = request.groups.map((groupId) => {
    const error = context.broker.groups.coordinatorError(groupId)
    if (error !== ErrorCode.none) return undescribed(groupId, error, null)
    const group = context.broker.groups.classicGroup(groupId)
    if (!group) return absent(groupId, context.apiVersion)
    const described = describe(group)
    allowance.take(costOf(described.members), 'the response to DescribeGroups')
    const authorizedOperations = request.includeAuthorizedOperations
      ? context.access.authorizedOperations('group', groupId)
      : operationsNotRequested
    return { ...described, authorizedOperations }
  })
  return { groups }
})

function describe(group: ClassicGroup) {
  const { state } = group
  const isSettled = state === 'Stable'
  return {
    errorCode: ErrorCode.none,
    groupId: group.groupId,
    groupState: state,
    protocolType: group.protocolType ?? '',
    protocolData: isSettled ? (group.protocolName ?? '') : '',
    members: [...group.members()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isSettled ? metadataFor(member, group.protocolName) : Buffer.alloc(0),
      memberAssignment: isSettled ? member.assignment : Buffer.alloc(0),
    })),
  }
}

function costOf(members: ReturnType<typeof describe>['members']): number {
  let bytes = 0
  for (const { memberMetadata, memberAssignment } of members) {
    bytes += memberBytes + memberMetadata.length + memberAssignment.length
  }
  return bytes
}

function absent(groupId: string, version: number) {
  if (version < notFoundVersion) {
    return { ...undescribed(groupId, ErrorCode.none, null), groupState: 'Dead' }
  }
  const message = `Group ${groupId} not found.`
  return { ...undescribed(groupId, ErrorCode.groupIdNotFound, message), groupState: 'Dead' }
}

function undescribed(groupId: string, errorCode: number, errorMessage: string | null) {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: operationsNotRequested,
  }
}
