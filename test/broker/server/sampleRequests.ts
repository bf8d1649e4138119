// A sample request of each API in any version, with data in it: used to check that all APIs answer,
// and as input of the fuzzer.

import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { batchOf } from './memoryBroker.ts'

const group = 'g'
const transaction = { transactionalId: 'tx', producerId: 1, producerEpoch: 0 }

/** The sample requests, with data in all fields that their versions have or ignore. */
export const sampleRequests: Readonly<Record<string, (version: number) => object>> = {
  Produce: () => ({
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf('a') }] }],
  }),
  Fetch: () => ({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1000,
    topics: [
      { topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
    ],
  }),
  ListOffsets: (version) => ({
    replicaId: -1,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    ...(version >= 10 ? { timeoutMs: 1000 } : {}),
  }),
  Metadata: () => ({ topics: [{ name: 't' }] }),
  OffsetCommit: () => ({
    groupId: 'alone',
    memberId: '',
    topics: [
      {
        name: 't',
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'm' }],
      },
    ],
  }),
  OffsetFetch: (version) =>
    version < 8
      ? { groupId: 'alone', topics: [{ name: 't', partitionIndexes: [0] }] }
      : { groups: [{ groupId: 'alone', topics: [{ name: 't', partitionIndexes: [0] }] }] },
  OffsetDelete: () => ({ groupId: 'alone', topics: [] }),
  FindCoordinator: (version) => (version < 4 ? { key: group } : { coordinatorKeys: [group] }),
  JoinGroup: (version) => ({
    groupId: `join-${version}`,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  }),
  Heartbeat: () => ({ groupId: group, generationId: 1, memberId: 'm' }),
  LeaveGroup: (version) =>
    version < 3
      ? { groupId: group, memberId: 'm' }
      : { groupId: group, members: [{ memberId: 'm' }] },
  SyncGroup: () => ({ groupId: group, generationId: 1, memberId: 'm', assignments: [] }),
  DescribeGroups: () => ({ groups: ['join-1', 'nobody'] }),
  ListGroups: () => ({}),
  ApiVersions: (version) =>
    version < 3 ? {} : { clientSoftwareName: 'test', clientSoftwareVersion: '1' },
  CreateTopics: (version) => ({
    topics: [
      {
        name: `made-${version}`,
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      },
    ],
    timeoutMs: 1000,
  }),
  DeleteTopics: (version) =>
    version < 6
      ? { topicNames: [`made-${version + 1}`], timeoutMs: 1000 }
      : { topics: [{ name: `made-${version + 1}`, topicId: zeroUuid }], timeoutMs: 1000 },
  InitProducerId: () => ({ transactionalId: null, transactionTimeoutMs: 1000 }),
  DescribeConfigs: () => ({
    resources: [
      { resourceType: 2, resourceName: 't', configurationKeys: null },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
    ],
  }),
  AlterConfigs: () => ({
    resources: [
      { resourceType: 2, resourceName: 't', configs: [{ name: 'retention.ms', value: '1000' }] },
    ],
    validateOnly: false,
  }),
  IncrementalAlterConfigs: () => ({
    resources: [
      {
        resourceType: 2,
        resourceName: 't',
        configs: [{ name: 'retention.ms', configOperation: 1, value: null }],
      },
    ],
    validateOnly: false,
  }),
  ListConfigResources: (version) => (version < 1 ? {} : { resourceTypes: [] }),
  CreatePartitions: (version) => ({
    topics: [{ name: 't', count: version + 2, assignments: null }],
    timeoutMs: 1000,
    validateOnly: false,
  }),
  DeleteGroups: () => ({ groupsNames: ['nobody'] }),
  DescribeCluster: () => ({ includeClusterAuthorizedOperations: true }),
  DeleteRecords: () => ({
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 1000,
  }),
  DescribeLogDirs: () => ({ topics: null }),
  SaslHandshake: () => ({ mechanism: 'PLAIN' }),
  SaslAuthenticate: () => ({ authBytes: Buffer.from('token') }),
  OffsetForLeaderEpoch: () => ({
    topics: [{ topic: 't', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  }),
  DescribeAcls: () => ({
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  }),
  CreateAcls: () => ({
    creations: [
      {
        resourceType: 2,
        resourceName: 't',
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  }),
  DeleteAcls: () => ({
    filters: [
      {
        resourceTypeFilter: 2,
        resourceNameFilter: 't',
        principalFilter: null,
        hostFilter: null,
        operation: 1,
        permissionType: 1,
      },
    ],
  }),
  AlterPartitionReassignments: () => ({
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [1] }] }],
  }),
  ElectLeaders: () => ({ topicPartitions: [{ topic: 't', partitions: [0] }] }),
  ListPartitionReassignments: () => ({ topics: null }),
  DescribeClientQuotas: () => ({ components: [], strict: false }),
  DescribeUserScramCredentials: () => ({ users: [{ name: 'somebody' }] }),
  DescribeTopicPartitions: () => ({ topics: [{ name: 't' }] }),
  AddPartitionsToTxn: (version) => {
    const topics = [{ name: 't', partitions: [0] }]
    const producer = { transactionalId: 'tx', producerId: 1, producerEpoch: 0 }
    return version < 4
      ? {
          transactions: [],
          v3AndBelowTransactionalId: 'tx',
          v3AndBelowProducerId: 1,
          v3AndBelowProducerEpoch: 0,
          v3AndBelowTopics: topics,
        }
      : { transactions: [{ ...producer, topics }] }
  },
  AddOffsetsToTxn: () => ({ ...transaction, groupId: group }),
  EndTxn: () => ({ ...transaction, committed: true }),
  TxnOffsetCommit: () => ({
    ...{ ...transaction, groupId: group },
    topics: [
      {
        name: 't',
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'm' }],
      },
    ],
  }),
  WriteTxnMarkers: () => ({
    markers: [
      {
        ...{ producerId: 1, producerEpoch: 0, transactionResult: true, coordinatorEpoch: 0 },
        topics: [{ name: 't', partitionIndexes: [0] }],
      },
    ],
  }),
  DescribeProducers: () => ({ topics: [{ name: 't', partitionIndexes: [0] }] }),
  DescribeTransactions: () => ({ transactionalIds: ['tx'] }),
  ListTransactions: () => ({ stateFilters: ['Ongoing'], producerIdFilters: [1] }),
  ConsumerGroupHeartbeat: (version) => ({
    groupId: `consumer-${version}`,
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: ['t'],
    topicPartitions: [],
  }),
  ConsumerGroupDescribe: () => ({
    groupIds: ['consumer-0', 'join-0', 'nobody'],
    includeAuthorizedOperations: false,
  }),
  UpdateFeatures: () => ({
    featureUpdates: [{ feature: 'group.version', maxVersionLevel: 1 }],
  }),
}
