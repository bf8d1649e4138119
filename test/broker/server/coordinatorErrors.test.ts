// The answer of each API of groups and transactions when another broker is the coordinator, and
// while the coordinator's partition is being loaded.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  offsetsTopicName,
  transactionStateTopicName,
} from '../../../broker/coordinators/coordinatorTopicNames.ts'
import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const groupId = 'g'
const transactionalId = 'tx'
const partitions = { topic: 't', partitionIndexes: [0] }
const topicsToFetch = [{ name: 't', partitionIndexes: [0] }]
const producer = { producerId: 1, producerEpoch: 0 }
const committed = [
  { name: 't', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
]

type Ask = (client: RawClient) => Promise<number>

const ofGroups: Readonly<Record<string, Ask>> = {
  JoinGroup: async (client) => {
    const session = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000 }
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const request = { groupId, memberId: '', protocolType: 'consumer', protocols, ...session }
    return (await client.send(joinGroup, 7, request)).errorCode
  },
  SyncGroup: async (client) => {
    const request = { groupId, generationId: 1, memberId: 'm', assignments: [] }
    return (await client.send(syncGroup, 4, request)).errorCode
  },
  Heartbeat: async (client) =>
    (await client.send(heartbeat, 4, { groupId, generationId: 1, memberId: 'm' })).errorCode,
  'LeaveGroup of one': async (client) =>
    (await client.send(leaveGroup, 2, { groupId, memberId: 'm' })).errorCode,
  'LeaveGroup of several': async (client) =>
    (await client.send(leaveGroup, 4, { groupId, members: [{ memberId: 'm' }] })).errorCode,
  ConsumerGroupHeartbeat: async (client) => {
    const joins = { memberEpoch: 0, rebalanceTimeoutMs: 1000, topicPartitions: [] }
    const request = { groupId, memberId: 'm', subscribedTopicNames: ['t'], ...joins }
    return (await client.send(consumerGroupHeartbeat, 0, request)).errorCode
  },
  OffsetCommit: async (client) => {
    const answer = await client.send(offsetCommit, 8, { groupId, memberId: '', topics: committed })
    return answer.topics[0]!.partitions[0]!.errorCode
  },
  'OffsetFetch of version 1': async (client) => {
    const answer = await client.send(offsetFetch, 1, { groupId, topics: topicsToFetch })
    return answer.topics[0]!.partitions[0]!.errorCode
  },
  'OffsetFetch of version 7': async (client) =>
    (await client.send(offsetFetch, 7, { groupId, topics: topicsToFetch })).errorCode,
  'OffsetFetch of groups': async (client) => {
    const groups = [{ groupId, topics: topicsToFetch, memberId: null, memberEpoch: -1 }]
    return (await client.send(offsetFetch, 9, { groups })).groups[0]!.errorCode
  },
  OffsetDelete: async (client) =>
    (await client.send(offsetDelete, 0, { groupId, topics: [] })).errorCode,
  DeleteGroups: async (client) =>
    (await client.send(deleteGroups, 2, { groupsNames: [groupId] })).results[0]!.errorCode,
  DescribeGroups: async (client) =>
    (await client.send(describeGroups, 5, { groups: [groupId] })).groups[0]!.errorCode,
  ConsumerGroupDescribe: async (client) => {
    const answer = await client.send(consumerGroupDescribe, 0, {
      groupIds: [groupId],
      includeAuthorizedOperations: false,
    })
    return answer.groups[0]!.errorCode
  },
}

const ofTransactions: Readonly<Record<string, Ask>> = {
  InitProducerId: async (client) => {
    const request = { transactionalId, transactionTimeoutMs: 1000 }
    return (await client.send(initProducerId, 4, request)).errorCode
  },
  AddPartitionsToTxn: async (client) => {
    const topics = [{ name: 't', partitions: [0] }]
    const answer = await client.send(addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: 1,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: topics,
    })
    return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode
  },
  AddOffsetsToTxn: async (client) => {
    const request = { transactionalId, groupId, ...producer }
    return (await client.send(addOffsetsToTxn, 3, request)).errorCode
  },
  TxnOffsetCommit: async (client) => {
    const request = { transactionalId, groupId, ...producer, topics: committed }
    const answer = await client.send(txnOffsetCommit, 3, request)
    return answer.topics[0]!.partitions[0]!.errorCode
  },
  EndTxn: async (client) =>
    (await client.send(endTxn, 3, { transactionalId, ...producer, committed: true })).errorCode,
  DescribeTransactions: async (client) => {
    const request = { transactionalIds: [transactionalId] }
    return (await client.send(describeTransactions, 0, request)).transactionStates[0]!.errorCode
  },
}

describe('a coordinator', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    const few = { 'offsets.topic.num.partitions': 1, 'transaction.state.log.num.partitions': 1 }
    broker = await MemoryBroker.start(few)
    client = await broker.client()
    const { topic: name } = partitions
    const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
    // A record, so that there is something to load.
    await ofGroups.OffsetCommit!(client)
    await ofTransactions.InitProducerId!(client)
  })

  afterEach(() => broker.stop())

  const answers = async (asks: Readonly<Record<string, Ask>>) => {
    const found: [string, string][] = []
    for (const [name, ask] of Object.entries(asks)) {
      found.push([name, errorName(await ask(client))])
    }
    return Object.fromEntries(found)
  }

  const all = (asks: Readonly<Record<string, Ask>>, name: string) =>
    Object.fromEntries(Object.keys(asks).map((api) => [api, name]))

  const lists = async () => [
    errorName((await client.send(listGroups, 4, { statesFilter: [] })).errorCode),
    errorName(
      (await client.send(listTransactions, 0, { stateFilters: [], producerIdFilters: [] }))
        .errorCode,
    ),
  ]

  const found = async () => {
    const answer = await client.send(findCoordinator, 3, { key: groupId, keyType: 0 })
    return errorName(answer.errorCode)
  }

  it('on another broker: every API answers NOT_COORDINATOR', async () => {
    const { groups, transactions } = broker.parts
    groups.resign(0, 1)
    expect(await answers(ofGroups)).toEqual(all(ofGroups, 'NOT_COORDINATOR'))
    transactions.resign(0, 1)
    expect(await answers(ofTransactions)).toEqual(all(ofTransactions, 'NOT_COORDINATOR'))
    expect(await lists(), 'lists of local coordinators').toEqual(['NONE', 'NONE'])
    expect(await found()).toBe('NONE')
  })

  it('that moves while a stable fetch waits answers NOT_COORDINATOR, not an empty result', async () => {
    const { groups } = broker.parts
    const settled = groups.settledOffsets.bind(groups)
    groups.settledOffsets = async (id) => {
      groups.resign(0, 1)
      return await settled(id)
    }
    const wanted = [{ groupId, topics: topicsToFetch, memberId: null, memberEpoch: -1 }]
    const request = { groups: wanted, requireStable: true }
    const answer = await client.send(offsetFetch, 9, request)
    expect(errorName(answer.groups[0]!.errorCode)).toBe('NOT_COORDINATOR')
  })

  it('that is being loaded: every API answers COORDINATOR_LOAD_IN_PROGRESS', async () => {
    const { groups, transactions, replicas } = broker.parts
    const held = Promise.withResolvers<void>()
    for (const name of [offsetsTopicName, transactionStateTopicName]) {
      const { log } = replicas.partition(name, 0)!
      const read = log.read.bind(log)
      log.read = async (...of: Parameters<typeof read>) => {
        await held.promise
        return await read(...of)
      }
    }
    const loaded = [groups.load(0, 1), transactions.load(0, 1)]
    const loading = 'COORDINATOR_LOAD_IN_PROGRESS'
    expect(await answers(ofGroups)).toEqual(all(ofGroups, loading))
    expect(await answers(ofTransactions)).toEqual(all(ofTransactions, loading))
    expect(await lists()).toEqual([loading, loading])
    expect(await found()).toBe('NONE')
    held.resolve()
    await Promise.all(loaded)
    expect(groups.offsets(groupId)?.get('t', 0)?.offset).toBe(1)
    expect(transactions.describe(transactionalId)).toBeDefined()
  })
})
