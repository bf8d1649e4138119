// Refused APIs of streams groups (KIP-1071): of Kafka Streams instances and administrators.

import { emptyList, type RefusedApi, refusedApi, refusedWhole } from '../refusedApi.ts'
import { array, bool, defaultsOf, int8, int16, int32, int64, string } from '../schema/fields.ts'

const throttleTimeMs = int32('0+')
const errorCode = int16('0+')
const errorMessage = string('0+', { nullable: '0+', default: null })
const nullList = array('0+', {}, { nullable: '0+', default: null })

const streamsGroupHeartbeat = refusedWhole({
  key: 88,
  name: 'StreamsGroupHeartbeat',
  versions: '0-1',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    errorMessage,
    memberId: string('0+'),
    memberEpoch: int32('0+'),
    heartbeatIntervalMs: int32('0+'),
    acceptableRecoveryLagLegacy: int32('0'),
    taskOffsetIntervalMs: int32('0+'),
    acceptableRecoveryLag: int64('1+', { default: -1, ignorable: true }),
    status: nullList,
    activeTasks: nullList,
    standbyTasks: nullList,
    warmupTasks: nullList,
    topologyDescriptionRequired: bool('1+'),
    endpointInformationEpoch: int32('0+'),
    partitionsByUserEndpoint: nullList,
  },
})

const describedGroup = {
  errorCode,
  errorMessage,
  groupId: string('0+'),
  groupState: string('0+'),
  groupEpoch: int32('0+'),
  assignmentEpoch: int32('0+'),
  // Nullable structs: one byte says null.
  topology: int8('0+', { default: -1 }),
  members: emptyList,
  authorizedOperations: int32('0+', { default: -2_147_483_648 }),
  topologyDescription: int8('1+', { default: -1 }),
  topologyDescriptionStatus: int8('1+'),
  assignorName: string('1+', { nullable: '1+', default: null }),
}

const streamsGroupDescribe = refusedApi(
  {
    key: 89,
    name: 'StreamsGroupDescribe',
    versions: '0-1',
    flexibleFrom: 0,
    request: {
      groupIds: array('0+', string),
      includeAuthorizedOperations: bool('0+'),
      includeTopologyDescription: bool('1+'),
    },
    response: { throttleTimeMs, groups: array('0+', describedGroup) },
  },
  ({ groupIds }, error) => ({
    groups: groupIds.map((groupId) => ({ ...defaultsOf(describedGroup), ...error, groupId })),
  }),
)

const streamsGroupTopologyDescriptionUpdate = refusedWhole({
  key: 93,
  name: 'StreamsGroupTopologyDescriptionUpdate',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage },
})

export const streamsGroupApis: readonly RefusedApi[] = [
  streamsGroupHeartbeat,
  streamsGroupDescribe,
  streamsGroupTopologyDescriptionUpdate,
]
