// The table of where the response of each API has its error code: at the top, or in entries that
// correspond to entries of the request. Keyed by Kafka's API names; errorAnswer.ts builds responses
// from it.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { alterConfigs } from '../../../protocol/kafka/apis/alterConfigs.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/offsetForLeaderEpoch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Api } from '../../../protocol/kafka/schema/schema.ts'

export interface Level {
  /** What one entry names. `nameOfId` resolves a topic that is named by id. */
  readonly kind: 'topic' | 'partition' | 'group' | 'other'
  /** Name of the array in the request; null in it means all entries. */
  readonly asked: string
  /** Name of the array in the response. */
  readonly answered: string
  /**
   * Key fields of a response entry, and where the request entry has them: in a field, or the entry
   * itself if it is not a struct.
   */
  readonly keys: Readonly<Record<string, string | typeof itself>>
}

export const itself = Symbol('itself')

export interface ErrorPlace {
  /**
   * From the outermost to the innermost; the entries of the last one have the error codes. Empty:
   * at the top.
   */
  readonly levels: readonly Level[]
  /** Default: `errorCode`. */
  readonly field?: string
  /** Values of a failed entry that differ from the zero values of their fields. */
  readonly values?: Readonly<Record<string, unknown>>
  /** Top-level fields copied from the request. */
  readonly repeated?: readonly string[]
  /** The rest of the response is needed even if every entry has failed. */
  readonly isWholeAlways?: true
}

interface FallibleApi {
  readonly api: Api
  /** The place may depend on the version and on the error code. */
  readonly place: (version: number, code: number) => ErrorPlace
}

const noRecords = Buffer.alloc(0)

function topics(asked: string, answered = asked, name = 'name'): Level {
  return { kind: 'topic', asked, answered, keys: { [name]: name, topicId: 'topicId' } }
}

function partitions(index = 'partitionIndex', asked = 'partitions', answered = asked): Level {
  return { kind: 'partition', asked, answered, keys: { [index]: index } }
}

function groups(asked: string, answered: string, from: string | typeof itself): Level {
  return { kind: 'group', asked, answered, keys: { groupId: from } }
}

function resources(answered: string): Level {
  const keys = { resourceType: 'resourceType', resourceName: 'resourceName' }
  return { kind: 'other', asked: 'resources', answered, keys }
}

const byPartition = [topics('topics'), partitions()]

const fetchLevels: readonly Level[] = [
  topics('topics', 'responses', 'topic'),
  {
    kind: 'partition',
    asked: 'partitions',
    answered: 'partitions',
    keys: { partitionIndex: 'partition' },
  },
]
const sessionCodes: ReadonlySet<number> = new Set([
  ErrorCode.fetchSessionIdNotFound,
  ErrorCode.invalidFetchSessionEpoch,
  ErrorCode.fetchSessionTopicIdError,
])

/** Error codes that OffsetFetch reports per partition; all others are reported per group. */
const offsetCodes: ReadonlySet<number> = new Set([
  ErrorCode.unstableOffsetCommit,
  ErrorCode.unknownTopicOrPartition,
  ErrorCode.unknownTopicId,
])

function offsetFetchPlace(version: number, code: number): ErrorPlace {
  const ofGroups = version >= 8 ? [groups('groups', 'groups', 'groupId')] : []
  if (version >= 2 && !offsetCodes.has(code)) return { levels: ofGroups }
  const ofPartitions: Level = {
    kind: 'partition',
    asked: 'partitionIndexes',
    answered: 'partitions',
    keys: { partitionIndex: itself },
  }
  const levels = [...ofGroups, topics('topics'), ofPartitions]
  return { levels, values: { committedOffset: -1, metadata: '' } }
}

function findCoordinatorPlace(version: number): ErrorPlace {
  const values = { nodeId: -1, port: -1 }
  if (version < 4) return { levels: [], values }
  const ofKeys: Level = {
    kind: 'group',
    asked: 'coordinatorKeys',
    answered: 'coordinators',
    keys: { key: itself },
  }
  return { levels: [ofKeys], values }
}

/** Versions that clients send; version 4 and later is used between brokers. */
function addPartitionsPlace(version: number): ErrorPlace {
  if (version >= 4) return { levels: [] }
  const ofPartitions: Level = {
    kind: 'partition',
    asked: 'partitions',
    answered: 'resultsByPartition',
    keys: { partitionIndex: itself },
  }
  const levels = [topics('v3AndBelowTopics', 'resultsByTopicV3AndBelow'), ofPartitions]
  return { levels, field: 'partitionErrorCode' }
}

function deleteTopicsPlace(version: number): ErrorPlace {
  if (version >= 6) return { levels: [topics('topics', 'responses')] }
  const ofNames: Level = {
    kind: 'topic',
    asked: 'topicNames',
    answered: 'responses',
    keys: { name: itself },
  }
  return { levels: [ofNames] }
}

const always = (place: ErrorPlace) => () => place
const atTop = always({ levels: [] })

/** By Kafka's name. APIs that are missing here can be delayed and disconnected, but not failed. */
export const fallibleApis = {
  AddOffsetsToTxn: { api: addOffsetsToTxn, place: atTop },
  AddPartitionsToTxn: { api: addPartitionsToTxn, place: addPartitionsPlace },
  AlterConfigs: { api: alterConfigs, place: always({ levels: [resources('responses')] }) },
  ApiVersions: { api: apiVersions, place: atTop },
  ConsumerGroupDescribe: {
    api: consumerGroupDescribe,
    place: always({ levels: [groups('groupIds', 'groups', itself)] }),
  },
  ConsumerGroupHeartbeat: {
    api: consumerGroupHeartbeat,
    place: always({ levels: [], repeated: ['memberId'] }),
  },
  CreatePartitions: {
    api: createPartitions,
    place: always({ levels: [topics('topics', 'results')] }),
  },
  CreateTopics: { api: createTopics, place: always({ levels: [topics('topics')] }) },
  DeleteGroups: {
    api: deleteGroups,
    place: always({ levels: [groups('groupsNames', 'results', itself)] }),
  },
  DeleteRecords: {
    api: deleteRecords,
    place: always({ levels: byPartition, values: { lowWatermark: -1 } }),
  },
  DeleteTopics: { api: deleteTopics, place: deleteTopicsPlace },
  DescribeCluster: { api: describeCluster, place: atTop },
  DescribeConfigs: { api: describeConfigs, place: always({ levels: [resources('results')] }) },
  DescribeGroups: {
    api: describeGroups,
    place: always({ levels: [groups('groups', 'groups', itself)] }),
  },
  EndTxn: { api: endTxn, place: atTop },
  Fetch: {
    api: fetch,
    place: (_version: number, code: number): ErrorPlace =>
      sessionCodes.has(code)
        ? { levels: [] }
        : { levels: fetchLevels, values: { highWatermark: -1, records: noRecords } },
  },
  FindCoordinator: { api: findCoordinator, place: findCoordinatorPlace },
  Heartbeat: { api: heartbeat, place: atTop },
  IncrementalAlterConfigs: {
    api: incrementalAlterConfigs,
    place: always({ levels: [resources('responses')] }),
  },
  InitProducerId: {
    api: initProducerId,
    place: always({ levels: [], values: { producerEpoch: -1 } }),
  },
  JoinGroup: { api: joinGroup, place: always({ levels: [], repeated: ['memberId'] }) },
  LeaveGroup: { api: leaveGroup, place: atTop },
  ListGroups: { api: listGroups, place: atTop },
  ListOffsets: { api: listOffsets, place: always({ levels: byPartition }) },
  // Clients find the brokers in it.
  Metadata: { api: metadata, place: always({ levels: [topics('topics')], isWholeAlways: true }) },
  OffsetCommit: { api: offsetCommit, place: always({ levels: byPartition }) },
  OffsetDelete: { api: offsetDelete, place: always({ levels: byPartition }) },
  OffsetFetch: { api: offsetFetch, place: offsetFetchPlace },
  OffsetForLeaderEpoch: {
    api: offsetForLeaderEpoch,
    place: always({ levels: [topics('topics', 'topics', 'topic'), partitions('partition')] }),
  },
  Produce: {
    api: produce,
    place: always({
      levels: [
        topics('topicData', 'responses'),
        partitions('index', 'partitionData', 'partitionResponses'),
      ],
      values: { baseOffset: -1 },
    }),
  },
  SyncGroup: { api: syncGroup, place: atTop },
  TxnOffsetCommit: { api: txnOffsetCommit, place: always({ levels: byPartition }) },
} as const satisfies Record<string, FallibleApi>

/** Kafka's names of the APIs that can be answered with an error. */
export type FallibleApiName = keyof typeof fallibleApis

export function isFallible(name: string): name is FallibleApiName {
  return Object.hasOwn(fallibleApis, name)
}
