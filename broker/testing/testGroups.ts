// The consumer groups of a test broker: members, committed offsets, and the actions that a
// coordinator may take on members at any time.

import { ErrorCode, errorName } from '../../protocol/kafka/errors.ts'
import type { HeartbeatRequest } from '../groups/consumer/heartbeatRequest.ts'
import type { GroupService } from '../groups/groupService.ts'
import type { FencedMembers } from './fencedMembers.ts'
import { invalidArgument, TestBrokerError } from './testBrokerError.ts'

/** A member of a group, with the client id of its program. */
export interface TestGroupMember {
  readonly memberId: string
  readonly clientId: string
}

/** A consumer group as its coordinator sees it. */
export interface TestGroup {
  readonly groupId: string
  /** `classic`, or `consumer` for the protocol of KIP-848. */
  readonly protocol: 'classic' | 'consumer'
  /** Kafka's name: `Stable`, `Empty`, `PreparingRebalance`, `Reconciling`, ... */
  readonly state: string
  readonly members: readonly TestGroupMember[]
}

/** Selects members of a group. Default: all. */
export interface MemberChoice {
  readonly clientId?: string
  readonly memberId?: string
}

/** Member epoch with which a member leaves a KIP-848 group. */
const leaveEpoch = -1

/** Returns undefined for a group that no member has joined or committed to. */
export function describeGroup(groups: GroupService, groupId: string): TestGroup | undefined {
  const group = groups.classicGroup(groupId) ?? groups.consumerGroup(groupId)
  if (group === undefined) return undefined
  const all: Iterable<TestGroupMember> = group.members()
  const members = Array.from(all, ({ memberId, clientId }) => ({ memberId, clientId }))
  return { groupId, protocol: group.type, state: group.state, members }
}

/** Makes every member rejoin. */
export function rebalance(groups: GroupService, groupId: string, fenced: FencedMembers): void {
  if (groups.rebalance(groupId)) return
  const { protocol, members } = existingGroup(groups, groupId)
  if (members.length === 0) throw invalidArgument(`group ${groupId} has no members`)
  if (protocol === 'consumer') fenced.fence(members.map(({ memberId }) => memberId))
}

/** Returns the number of removed members. */
export async function removeMembers(
  groups: GroupService,
  groupId: string,
  choice: MemberChoice,
): Promise<number> {
  const { members } = existingGroup(groups, groupId)
  const chosen = members.filter(
    ({ clientId, memberId }) =>
      (choice.clientId ?? clientId) === clientId && (choice.memberId ?? memberId) === memberId,
  )
  for (const member of chosen) await removeMember(groups, groupId, member)
  return chosen.length
}

async function removeMember(
  groups: GroupService,
  groupId: string,
  { memberId, clientId }: TestGroupMember,
): Promise<void> {
  const ofConsumer = [...(groups.consumerGroup(groupId)?.members() ?? [])]
  const speaksConsumer = ofConsumer.find((member) => member.memberId === memberId)?.classic === null
  if (speaksConsumer) {
    const { errorCode } = await groups.consumerHeartbeat(groupId, leaving(memberId, clientId))
    return mustBeNone(errorCode, memberId)
  }
  const ofClassic = [...(groups.classicGroup(groupId)?.members() ?? [])]
  const member = ofClassic.find((each) => each.memberId === memberId)
  const groupInstanceId = member?.groupInstanceId ?? null
  const [errorCode] = await groups.leave(groupId, [{ memberId, groupInstanceId }])
  mustBeNone(errorCode!, memberId)
}

function mustBeNone(errorCode: number, memberId: string): void {
  if (errorCode === ErrorCode.none) return
  const message = `failed to remove member ${memberId}: ${errorName(errorCode)}`
  throw new TestBrokerError('NOT_RUNNING', message)
}

function existingGroup(groups: GroupService, groupId: string): TestGroup {
  const group = describeGroup(groups, groupId)
  if (group !== undefined) return group
  const known = groups.groups().map((each) => each.groupId)
  const list =
    known.length === 0 ? 'there are no groups' : `existing groups: ${known.sort().join(', ')}`
  throw invalidArgument(`group ${groupId} does not exist; ${list}`)
}

function leaving(memberId: string, clientId: string): HeartbeatRequest {
  return {
    memberId,
    memberEpoch: leaveEpoch,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId,
    clientHost: '',
    subscribedTopicNames: null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    owned: null,
    requireMemberId: false,
  }
}
