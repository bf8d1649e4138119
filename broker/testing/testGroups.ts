// The consumer groups of a broker in a test: who is in them, what they have committed, and what a coordinator may do
// to their members at any time.

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

/** Which members of a group; all unless something is given. */
export interface MemberChoice {
  readonly clientId?: string
  readonly memberId?: string
}

/** Leaves a group of KIP-848. */
const leaveEpoch = -1

/** Undefined for a group that nobody has joined or committed to. */
export function describeGroup(groups: GroupService, groupId: string): TestGroup | undefined {
  const group = groups.classicGroup(groupId) ?? groups.consumerGroup(groupId)
  if (group === undefined) return undefined
  const all: Iterable<TestGroupMember> = group.members()
  const members = Array.from(all, ({ memberId, clientId }) => ({ memberId, clientId }))
  return { groupId, protocol: group.type, state: group.state, members }
}

/** Has every member join again. */
export function rebalance(groups: GroupService, groupId: string, fenced: FencedMembers): void {
  if (groups.rebalance(groupId)) return
  const { protocol, members } = existingGroup(groups, groupId)
  if (members.length === 0) throw invalidArgument(`nobody is in the group ${groupId}`)
  if (protocol === 'consumer') fenced.fence(members.map(({ memberId }) => memberId))
}

/** Returns how many were removed. */
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
  const message = `member ${memberId} could not be removed: ${errorName(errorCode)}`
  throw new TestBrokerError('NOT_RUNNING', message)
}

function existingGroup(groups: GroupService, groupId: string): TestGroup {
  const group = describeGroup(groups, groupId)
  if (group !== undefined) return group
  const known = groups.groups().map((each) => each.groupId)
  const list = known.length === 0 ? 'there is none' : `there are ${known.sort().join(', ')}`
  throw invalidArgument(`there is no group ${groupId}; ${list}`)
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
