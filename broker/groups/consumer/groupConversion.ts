// Converts a group with members between the protocols: a classic group to the records of a consumer
// group, and back. Pure functions.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../../protocol/kafka/coordinators/groups.ts'
import type { ClassicGroup } from '../classic/classicGroup.ts'
import type { GroupMember } from '../classic/groupMember.ts'
import type { GroupMetadataValue } from '../groupRecords.ts'
import { encodeAssignment, fromTopics, protocolVersion } from './classicProtocol.ts'
import {
  type ClassicMemberMetadata,
  type ConsumerGroupMember,
  MemberState,
  topicNames,
} from './consumerGroupMember.ts'
import { ConsumerGroupState } from './consumerGroupState.ts'
import type { TopicCatalog } from './topicCatalog.ts'
import {
  filterPartitions,
  hasPartition,
  noPartitions,
  type TopicPartitions,
  union,
} from './topicPartitions.ts'

/**
 * Returns the classic group as a consumer group, in which every member has its last assignment, or
 * the reason why it cannot be converted: metadata that is malformed, or an assignor with user data.
 */
export function consumerGroupOf(
  group: ClassicGroup,
  catalog: TopicCatalog,
): ConsumerGroupState | string {
  const state = new ConsumerGroupState(group.groupId)
  const { groupId } = group
  const { generationId: epoch } = group
  try {
    const members = [...group.members()]
    if (members.some(hasUserData)) return 'an unsupported custom assignor is in use'
    const assigned = assignedTo(members, catalog)
    for (const [at, member] of members.entries()) putMember(state, member, group, assigned[at]!)
  } catch (error) {
    if (error instanceof MalformedError) return 'the embedded consumer protocol is malformed'
    throw error
  }
  // The hash of no topics, so that the member for which the group is converted begins a new epoch.
  state.apply({ type: 'consumerGroupMetadata', groupId, value: { epoch, metadataHash: 0n } })
  const value = { assignmentEpoch: epoch }
  state.apply({ type: 'consumerGroupTargetAssignmentMetadata', groupId, value })
  return state
}

/** Whether the assignor has added user data, which the coordinator cannot produce. */
function hasUserData({ assignment }: GroupMember): boolean {
  return (readAssignment(assignment)?.userData?.length ?? 0) > 0
}

/**
 * Returns the partitions of each member: its assignment and, if it has not fetched that yet, the
 * partitions of its former assignment that are not assigned now. A cooperative member consumes
 * these until it fetches the new assignment, so they must not go to the member for which the group
 * is converted.
 */
function assignedTo(members: readonly GroupMember[], catalog: TopicCatalog): TopicPartitions[] {
  const read = (assignment: Buffer) =>
    fromTopics(readAssignment(assignment)?.assignedPartitions ?? [], catalog)
  const assigned = members.map(({ assignment }) => read(assignment))
  let taken = assigned.reduce(union, noPartitions)
  return members.map(({ formerAssignment }, at) => {
    const former = filterPartitions(
      read(formerAssignment),
      (...partition) => !hasPartition(taken, ...partition),
    )
    if (former.size === 0) return assigned[at]!
    taken = union(taken, former)
    return union(assigned[at]!, former)
  })
}

function putMember(
  state: ConsumerGroupState,
  member: GroupMember,
  { groupId, generationId: memberEpoch, protocolName }: ClassicGroup,
  assigned: TopicPartitions,
): void {
  const { memberId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs } = member
  const subscription = readSubscription(member, protocolName)
  const of = { groupId, memberId }
  state.apply({
    type: 'consumerGroupMemberMetadata',
    ...of,
    value: {
      instanceId: member.groupInstanceId,
      rackId: subscription.rackId,
      clientId,
      clientHost,
      subscribedTopicNames: topicNames(subscription.topics),
      subscribedTopicRegex: null,
      rebalanceTimeoutMs,
      serverAssignor: null,
      classic: { sessionTimeoutMs, supportedProtocols: member.protocols },
    },
  })
  state.apply({ type: 'consumerGroupTargetAssignmentMember', ...of, value: { assigned } })
  state.apply({
    type: 'consumerGroupCurrentMemberAssignment',
    ...of,
    value: {
      memberEpoch,
      previousMemberEpoch: memberEpoch,
      state: MemberState.stable,
      assigned,
      pendingRevocation: noPartitions,
    },
  })
}

/**
 * Decodes the subscription, which is the same for every protocol. No protocol is selected before
 * the first generation.
 */
function readSubscription({ protocols }: GroupMember, protocolName: string | null) {
  const protocol = protocols.find(({ name }) => name === protocolName) ?? protocols[0]
  return consumerProtocolSubscription.decode(protocol?.metadata ?? noBytes)
}

/** Decodes an assignment. Undefined for a member that has none yet. */
function readAssignment(assignment: Buffer) {
  return assignment.length === 0 ? undefined : consumerProtocolAssignment.decode(assignment)
}

const noBytes = Buffer.alloc(0)

/**
 * Returns a consumer group of classic members as the record of a classic group. The record has no
 * leader, so that every member is asked to rejoin, also by a coordinator that loads the record
 * later.
 */
export function classicGroupValue(
  state: ConsumerGroupState,
  catalog: TopicCatalog,
): GroupMetadataValue {
  const members = [...state.members.values()].flatMap((member) =>
    member.classic ? [{ ...member, classic: member.classic }] : [],
  )
  const protocol = commonProtocol(members.map(({ classic }) => classic))
  return {
    protocolType: consumerProtocolType,
    generation: state.groupEpoch,
    protocol,
    leader: null,
    currentStateTimestampMs: -1,
    members: members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.classic.sessionTimeoutMs,
      subscription: metadataIn(member.classic, protocol),
      assignment: encodeAssignment(stillWith(member), protocolVersion(member.classic), catalog),
    })),
  }
}

/** Includes partitions that the member is revoking: it may still own them after the conversion. */
function stillWith({ assigned, pendingRevocation }: ConsumerGroupMember): TopicPartitions {
  return union(assigned, pendingRevocation)
}

/**
 * Returns the protocol that all members support. It exists, because a member without one is
 * refused.
 */
function commonProtocol(members: readonly ClassicMemberMetadata[]): string | null {
  const [first, ...others] = members
  const common = first?.supportedProtocols.find(({ name }) =>
    others.every(({ supportedProtocols }) => supportedProtocols.some((each) => each.name === name)),
  )
  return common?.name ?? null
}

function metadataIn(
  { supportedProtocols }: ClassicMemberMetadata,
  protocol: string | null,
): Buffer {
  return supportedProtocols.find(({ name }) => name === protocol)?.metadata ?? noBytes
}
