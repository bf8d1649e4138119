// Refused APIs of share groups (KIP-932): of members, administrators and coordinators.

import {
  type ErrorAnswer,
  emptyList,
  type RefusedApi,
  refusedApi,
  refusedWhole,
} from '../refusedApi.ts'
import {
  array,
  bool,
  defaultsOf,
  int8,
  int16,
  int32,
  int64,
  string,
  uuid,
} from '../schema/fields.ts'

const throttleTimeMs = int32('0+')
const errorCode = int16('0+')
const errorMessage = string('0+', { nullable: '0+', default: null })
const groupId = string('0+')
const topicId = uuid('0+')
const partition = int32('0+')

const shareGroupHeartbeat = refusedWhole({
  key: 76,
  name: 'ShareGroupHeartbeat',
  versions: '1',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    errorMessage,
    memberId: string('0+', { nullable: '0+', default: null }),
    memberEpoch: int32('0+'),
    heartbeatIntervalMs: int32('0+'),
    // A nullable struct: one byte says null.
    assignment: int8('0+', { default: -1 }),
  },
})

const describedGroup = {
  errorCode,
  errorMessage,
  groupId,
  groupState: string('0+'),
  groupEpoch: int32('0+'),
  assignmentEpoch: int32('0+'),
  assignorName: string('0+'),
  members: emptyList,
  authorizedOperations: int32('0+', { default: -2_147_483_648 }),
}

const shareGroupDescribe = refusedApi(
  {
    key: 77,
    name: 'ShareGroupDescribe',
    versions: '1',
    flexibleFrom: 0,
    request: { groupIds: array('0+', string), includeAuthorizedOperations: bool('0+') },
    response: { throttleTimeMs, groups: array('0+', describedGroup) },
  },
  ({ groupIds }, error) => ({
    groups: groupIds.map((id) => ({ ...defaultsOf(describedGroup), ...error, groupId: id })),
  }),
)

const shareFetch = refusedWhole({
  key: 78,
  name: 'ShareFetch',
  versions: '1-2',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    errorMessage,
    acquisitionLockTimeoutMs: int32('1+'),
    responses: emptyList,
    nodeEndpoints: emptyList,
  },
})

const shareAcknowledge = refusedWhole({
  key: 79,
  name: 'ShareAcknowledge',
  versions: '1-2',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    errorMessage,
    acquisitionLockTimeoutMs: int32('2+'),
    responses: emptyList,
    nodeEndpoints: emptyList,
  },
})

const stateResult = { partition, errorCode, errorMessage }

interface StateRequest {
  readonly topics: readonly {
    readonly topicId: string
    readonly partitions: readonly { readonly partition: number }[]
  }[]
}

/** Builds the error for each partition of the request, with the fields of `result`. */
function ofPartitions(result: Parameters<typeof defaultsOf>[0]) {
  return ({ topics }: StateRequest, error: ErrorAnswer) => ({
    results: topics.map((topic) => ({
      topicId: topic.topicId,
      partitions: topic.partitions.map((each) => ({
        ...defaultsOf(result),
        ...error,
        partition: each.partition,
      })),
    })),
  })
}

const initializeShareGroupState = refusedApi(
  {
    key: 83,
    name: 'InitializeShareGroupState',
    versions: '0',
    flexibleFrom: 0,
    request: {
      groupId,
      topics: array('0+', {
        topicId,
        partitions: array('0+', {
          partition,
          stateEpoch: int32('0+'),
          startOffset: int64('0+'),
        }),
      }),
    },
    response: { results: array('0+', { topicId, partitions: array('0+', stateResult) }) },
  },
  ofPartitions(stateResult),
)

const readResult = {
  ...stateResult,
  stateEpoch: int32('0+'),
  startOffset: int64('0+', { default: -1 }),
  stateBatches: emptyList,
}

const readShareGroupState = refusedApi(
  {
    key: 84,
    name: 'ReadShareGroupState',
    versions: '0',
    flexibleFrom: 0,
    request: {
      groupId,
      topics: array('0+', {
        topicId,
        partitions: array('0+', { partition, leaderEpoch: int32('0+') }),
      }),
    },
    response: { results: array('0+', { topicId, partitions: array('0+', readResult) }) },
  },
  ofPartitions(readResult),
)

const writeShareGroupState = refusedApi(
  {
    key: 85,
    name: 'WriteShareGroupState',
    versions: '0-1',
    flexibleFrom: 0,
    request: {
      groupId,
      topics: array('0+', {
        topicId,
        partitions: array('0+', {
          partition,
          stateEpoch: int32('0+'),
          leaderEpoch: int32('0+'),
          startOffset: int64('0+'),
          deliveryCompleteCount: int32('1+', { default: -1, ignorable: true }),
          stateBatches: array('0+', {
            firstOffset: int64('0+'),
            lastOffset: int64('0+'),
            deliveryState: int8('0+'),
            deliveryCount: int16('0+'),
          }),
        }),
      }),
    },
    response: { results: array('0+', { topicId, partitions: array('0+', stateResult) }) },
  },
  ofPartitions(stateResult),
)

const deleteShareGroupState = refusedApi(
  {
    key: 86,
    name: 'DeleteShareGroupState',
    versions: '0',
    flexibleFrom: 0,
    request: {
      groupId,
      topics: array('0+', { topicId, partitions: array('0+', { partition }) }),
    },
    response: { results: array('0+', { topicId, partitions: array('0+', stateResult) }) },
  },
  ofPartitions(stateResult),
)

const summaryResult = {
  ...stateResult,
  stateEpoch: int32('0+'),
  leaderEpoch: int32('0+'),
  startOffset: int64('0+', { default: -1 }),
  deliveryCompleteCount: int32('1+', { default: -1, ignorable: true }),
}

const readShareGroupStateSummary = refusedApi(
  {
    key: 87,
    name: 'ReadShareGroupStateSummary',
    versions: '0-1',
    flexibleFrom: 0,
    request: {
      groupId,
      topics: array('0+', {
        topicId,
        partitions: array('0+', { partition, leaderEpoch: int32('0+') }),
      }),
    },
    response: { results: array('0+', { topicId, partitions: array('0+', summaryResult) }) },
  },
  ofPartitions(summaryResult),
)

const describeShareGroupOffsets = refusedApi(
  {
    key: 90,
    name: 'DescribeShareGroupOffsets',
    versions: '0-1',
    flexibleFrom: 0,
    request: {
      groups: array('0+', {
        groupId,
        topics: array(
          '0+',
          { topicName: string('0+'), partitions: array('0+', int32) },
          { nullable: '0+' },
        ),
      }),
    },
    response: {
      throttleTimeMs,
      groups: array('0+', { groupId, topics: emptyList, errorCode, errorMessage }),
    },
  },
  ({ groups }, error) => ({
    groups: groups.map((group) => ({ groupId: group.groupId, topics: [], ...error })),
  }),
)

const alterShareGroupOffsets = refusedWhole({
  key: 91,
  name: 'AlterShareGroupOffsets',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage, responses: emptyList },
})

const deleteShareGroupOffsets = refusedWhole({
  key: 92,
  name: 'DeleteShareGroupOffsets',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage, responses: emptyList },
})

export const shareGroupApis: readonly RefusedApi[] = [
  shareGroupHeartbeat,
  shareGroupDescribe,
  shareFetch,
  shareAcknowledge,
  initializeShareGroupState,
  readShareGroupState,
  writeShareGroupState,
  deleteShareGroupState,
  readShareGroupStateSummary,
  describeShareGroupOffsets,
  alterShareGroupOffsets,
  deleteShareGroupOffsets,
]
