// Lists, describes and deletes groups of the classic protocol and of KIP-848.

import { consumerGroupDescribe } from '../../kafka/apis/consumerGroupDescribe.ts'
import { deleteGroups as deleteGroupsApi } from '../../kafka/apis/deleteGroups.ts'
import { describeGroups as describeGroupsApi } from '../../kafka/apis/describeGroups.ts'
import { listGroups as listGroupsApi } from '../../kafka/apis/listGroups.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolType,
} from '../../kafka/coordinators/groups.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import type { TopicPartition } from '../../kafka/topicPartition.ts'
import type {
  BrokerDescription,
  GroupDescription,
  GroupListing,
  GroupMember,
  Outcome,
} from '../adminApi.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import { type AdminRequests, success } from './adminRequests.ts'
import { toCoordinators } from './groupRouting.ts'

/** Selects the groups to list. */
export interface GroupFilter {
  /** `classic`, `consumer`, `share`, `streams`. Default: all. */
  readonly types?: readonly string[]
  /** `Stable`, `Empty`, ... Default: all. */
  readonly states?: readonly string[]
}

/** The result for one group. */
export interface GroupOutcome extends Outcome {
  readonly groupId: string
}

/** First versions of ListGroups with states and with types. */
const statesVersion = 4
const typesVersion = 5
/** Member type in ConsumerGroupDescribe version 1 of members with the classic protocol. */
const classicMemberType = 0
/** Members and their assignments make large responses. */
const groupsPerRequest = 100

/**
 * Lists groups of all brokers by group id; older brokers report neither state nor type. Fails if a
 * broker is unreachable.
 */
export async function listGroups(
  requests: AdminRequests,
  { types = [], states = [] }: GroupFilter = {},
): Promise<GroupListing[]> {
  const listings = await requests.ofBrokers(async (connection, coordinator) => {
    const version = connection.versionOf(listGroupsApi)
    const answer = await connection.send(listGroupsApi, {
      statesFilter: version >= statesVersion ? states : [],
      typesFilter: version >= typesVersion ? types : [],
    })
    if (answer.errorCode !== ErrorCode.none) {
      throw new KafkaError(answer.errorCode, `groups of broker ${coordinator}`)
    }
    return answer.groups.map(
      (group): GroupListing => ({
        groupId: group.groupId,
        state: group.groupState || 'Unknown',
        protocolType: group.protocolType,
        groupType: group.groupType.toLowerCase() || 'classic',
        coordinator,
      }),
    )
  })
  const groups = new Map<string, GroupListing>()
  for (const { answer } of listings) {
    if (answer.status === 'rejected') throw answer.reason
    for (const group of answer.value) groups.set(group.groupId, group)
  }
  return [...groups.values()]
    .filter(({ groupType }) => types.length === 0 || types.includes(groupType))
    .filter(({ state }) => states.length === 0 || states.includes(state))
    .sort((one, other) => (one.groupId < other.groupId ? -1 : 1))
}

/** A group that does not exist has GROUP_ID_NOT_FOUND. */
export async function describeGroups(
  requests: AdminRequests,
  groupIds: readonly string[],
): Promise<GroupDescription[]> {
  const { brokers } = await requests.retrying(() => requests.cluster.brokers())
  const racks = new Map(brokers.map(({ nodeId, rack }) => [nodeId, rack]))
  const coordinatorOf = async (groupId: string): Promise<BrokerDescription> => {
    const { nodeId, host, port } = await requests.cluster.coordinatorOf(groupId)
    return { id: nodeId, host, port, rack: racks.get(nodeId) ?? null }
  }
  const ask = async (connection: KafkaConnection, asked: readonly string[]) => {
    const found = new Map<string, Described>()
    for (const described of await describeConsumerGroups(connection, asked)) {
      found.set(described.groupId, described)
    }
    const classic = asked.filter((groupId) => isForClassic(found.get(groupId)))
    for (const described of await describeClassicGroups(connection, classic)) {
      found.set(described.groupId, described)
    }
    return await Promise.all(
      asked.map(async (groupId) => ({
        ...(found.get(groupId) ?? failed(groupId, notFound)),
        coordinator: await coordinatorOf(groupId),
      })),
    )
  }
  const routing = toCoordinators(requests.cluster, ask, failed)
  return await requests.ofEach(groupIds, { ...routing, itemsPerRequest: groupsPerRequest })
}

export async function deleteGroups(
  requests: AdminRequests,
  groupIds: readonly string[],
): Promise<GroupOutcome[]> {
  const ask = async (connection: KafkaConnection, asked: readonly string[]) => {
    const { results } = await connection.send(deleteGroupsApi, { groupsNames: asked })
    const codes = new Map(results.map(({ groupId, errorCode }) => [groupId, errorCode]))
    return asked.map((groupId): GroupOutcome => {
      const errorCode = codes.get(groupId) ?? ErrorCode.groupIdNotFound
      return { groupId, errorCode, errorMessage: null }
    })
  }
  const notDeleted = (groupId: string, outcome: Outcome) => ({ groupId, ...outcome })
  return await requests.ofEach(groupIds, toCoordinators(requests.cluster, ask, notDeleted))
}

type Described = Omit<GroupDescription, 'coordinator'>

const notFound: Outcome = { errorCode: ErrorCode.groupIdNotFound, errorMessage: null }
const nowhere: BrokerDescription = { id: -1, host: '', port: -1, rack: null }

/** Also true for groups of other protocols: the coordinator then reports no such consumer group. */
function isForClassic(described: Described | undefined): boolean {
  if (described === undefined) return true
  const { errorCode } = described
  return errorCode === ErrorCode.groupIdNotFound || errorCode === ErrorCode.unsupportedVersion
}

async function describeConsumerGroups(
  connection: KafkaConnection,
  groupIds: readonly string[],
): Promise<Described[]> {
  if (!connection.supports(consumerGroupDescribe)) return []
  const { groups } = await connection.send(consumerGroupDescribe, {
    groupIds,
    includeAuthorizedOperations: false,
  })
  return groups.map((group) => ({
    groupId: group.groupId,
    state: group.groupState,
    groupType: 'consumer',
    protocolType: consumerProtocolType,
    assignor: group.assignorName,
    isMixed: group.members.some(({ memberType }) => memberType === classicMemberType),
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      assignment: flat(
        member.assignment.topicPartitions.map(({ topicName: topic, partitions }) => {
          return { topic, partitions }
        }),
      ),
    })),
    errorCode: group.errorCode,
    errorMessage: group.errorMessage,
  }))
}

async function describeClassicGroups(
  connection: KafkaConnection,
  groupIds: readonly string[],
): Promise<Described[]> {
  if (groupIds.length === 0) return []
  const { groups } = await connection.send(describeGroupsApi, { groups: groupIds })
  return groups.map((group) => ({
    groupId: group.groupId,
    state: group.groupState,
    groupType: 'classic',
    protocolType: group.protocolType,
    assignor: group.protocolData,
    isMixed: false,
    members: group.members.map((member) => classicMember(member, group.protocolType)),
    ...classicOutcome(group),
  }))
}

type ClassicGroup = ResponseOf<typeof describeGroupsApi>['groups'][number]

/** Brokers before Kafka 4.0 describe a group that does not exist as Dead. */
function classicOutcome({ groupState, errorCode, errorMessage }: ClassicGroup): Outcome {
  if (errorCode !== ErrorCode.none) return { errorCode, errorMessage }
  return groupState === 'Dead' ? notFound : success
}

function classicMember(member: ClassicGroup['members'][number], protocolType: string): GroupMember {
  const { memberId, groupInstanceId, clientId, clientHost, memberAssignment } = member
  // Other protocol types, such as Kafka Connect's, have other assignment formats.
  const isConsumer = protocolType === consumerProtocolType && memberAssignment.length > 0
  const assignment = isConsumer
    ? flat(consumerProtocolAssignment.decode(memberAssignment).assignedPartitions)
    : []
  return { memberId, instanceId: groupInstanceId, clientId, clientHost, assignment }
}

function flat(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    [...partitions].sort((one, other) => one - other).map((partition) => ({ topic, partition })),
  )
}

function failed(groupId: string, outcome: Outcome): GroupDescription {
  return {
    groupId,
    state: 'Unknown',
    groupType: 'classic',
    protocolType: '',
    assignor: '',
    isMixed: false,
    coordinator: nowhere,
    members: [],
    ...outcome,
  }
}
