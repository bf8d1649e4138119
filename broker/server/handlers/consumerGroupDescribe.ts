// ConsumerGroupDescribe: describes consumer groups (KIP-848) with their epochs, their members, and
// the current and target assignments of these.

import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { ConsumerGroup } from '../../groups/consumer/consumerGroup.ts'
import type { ConsumerGroupMember } from '../../groups/consumer/consumerGroupMember.ts'
import type { TopicCatalog } from '../../groups/consumer/topicCatalog.ts'
import { type TopicPartitions, toList } from '../../groups/consumer/topicPartitions.ts'
import type { GroupService } from '../../groups/groupService.ts'
import { operationsNotRequested } from '../gate/connectionAccess.ts'
import { handler } from '../request/handler.ts'

/** The protocol of a member, which differs between members during a migration. */
const MemberType = { classic: 0, consumer: 1 } as const

/** Approximate memory of one member, as an object and in the answer, in bytes. */
const memberBytes = 400
const nameBytes = 30
const topicBytes = 150
const partitionBytes = 12

export const consumerGroupDescribeHandler = handler(
  consumerGroupDescribe,
  ({ groupIds, includeAuthorizedOperations }, { broker, answerMemory, access }) => {
    const allowance = answerMemory.allowance()
    const groups = groupIds.map((groupId) => {
      const group = broker.groups.consumerGroup(groupId)
      if (!group) return absent(groupId, broker.groups)
      const described = describe(group, broker.controller.state)
      allowance.take(costOf(described.members), 'the response to ConsumerGroupDescribe')
      const authorizedOperations = includeAuthorizedOperations
        ? access.authorizedOperations('group', groupId)
        : operationsNotRequested
      return { ...described, authorizedOperations }
    })
    return { groups }
  },
)

function describe(group: ConsumerGroup, catalog: TopicCatalog) {
  const { groupId, state, groupEpoch, assignmentEpoch, assignorName } = group
  return {
    errorCode: ErrorCode.none,
    groupId,
    groupState: state,
    groupEpoch,
    assignmentEpoch,
    assignorName,
    members: [...group.members()].map((member) =>
      describeMember(member, group.target(member.memberId), catalog),
    ),
  }
}

function describeMember(
  member: ConsumerGroupMember,
  target: TopicPartitions,
  catalog: TopicCatalog,
) {
  const { memberId, instanceId, rackId, memberEpoch, clientId, clientHost } = member
  return {
    memberId,
    instanceId,
    rackId,
    memberEpoch,
    clientId,
    clientHost,
    subscribedTopicNames: member.subscribedTopicNames,
    subscribedTopicRegex: member.subscribedTopicRegex ?? '',
    assignment: describeAssignment(member.assigned, catalog),
    targetAssignment: describeAssignment(target, catalog),
    memberType: member.classic === null ? MemberType.consumer : MemberType.classic,
  }
}

/** Describes an assignment. Deleted topics have no name, and are left out. */
function describeAssignment(all: TopicPartitions, catalog: TopicCatalog) {
  const topicPartitions = toList(all).flatMap(({ topicId, partitions }) => {
    const topic = catalog.topicById(topicId)
    return topic ? [{ topicId, topicName: topic.name, partitions }] : []
  })
  return { topicPartitions }
}

function costOf(members: readonly ReturnType<typeof describeMember>[]): number {
  let bytes = 0
  for (const { subscribedTopicNames, assignment, targetAssignment } of members) {
    bytes += memberBytes + subscribedTopicNames.length * nameBytes
    for (const { partitions } of [
      ...assignment.topicPartitions,
      ...targetAssignment.topicPartitions,
    ]) {
      bytes += topicBytes + partitions.length * partitionBytes
    }
  }
  return bytes
}

function absent(groupId: string, groups: GroupService) {
  const coordinatorError = groups.coordinatorError(groupId)
  const message = groups.classicGroup(groupId)
    ? `Group ${groupId} is not a consumer group.`
    : `Group ${groupId} not found.`
  return {
    errorCode: coordinatorError || ErrorCode.groupIdNotFound,
    errorMessage: coordinatorError === ErrorCode.none ? message : null,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}
