// A group that changes its protocol while its members go on: what they said in one protocol, in the
// words of the other.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../../protocol/kafka/groups.ts'
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
 * A classic group as a consumer group, everyone with what it was last assigned. Why not, when that
 * cannot be: members whose words cannot be read, or an assignor that tells them more than partitions.
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
  // The hash is that of no topics: the member for whom the group is converted makes a new epoch.
  state.apply({ type: 'consumerGroupMetadata', groupId, value: { epoch, metadataHash: 0n } })
  const value = { assignmentEpoch: epoch }
  state.apply({ type: 'consumerGroupTargetAssignmentMetadata', groupId, value })
  return state
}

/** Data that its assignor sent it, which nobody could send it any more. */
function hasUserData({ assignment }: GroupMember): boolean {
  return (readAssignment(assignment)?.userData?.length ?? 0) > 0
}

/**
 * What each has: its assignment, and, if it has not asked for that yet, what it had before and nobody
 * is assigned now. A cooperative member consumes from that until it has asked, so that it must not be
 * given to the member for whom the group is converted.
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

/** A consumer says the same in every protocol; before the first generation none is agreed on. */
function readSubscription({ protocols }: GroupMember, protocolName: string | null) {
  const protocol = protocols.find(({ name }) => name === protocolName) ?? protocols[0]
  return consumerProtocolSubscription.decode(protocol?.metadata ?? noBytes)
}

/** Undefined for a member that has not been assigned anything yet. */
function readAssignment(assignment: Buffer) {
  return assignment.length === 0 ? undefined : consumerProtocolAssignment.decode(assignment)
}

const noBytes = Buffer.alloc(0)

/**
 * A consumer group in which all members speak the classic protocol, as what a classic group stores. It
 * has no leader, so that everyone is asked to join again, also by a coordinator that reads it back.
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

/** What the member is giving up counts: it has it for longer than the group may be a classic one. */
function stillWith({ assigned, pendingRevocation }: ConsumerGroupMember): TopicPartitions {
  return union(assigned, pendingRevocation)
}

/** There is one: whoever speaks none of the others' is not let in. */
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
