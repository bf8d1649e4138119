// A whole broker whose partitions move to another broker in the metadata, and back: the answers to
// clients meanwhile, and that the coordinators continue with their durable state.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noLeader } from '../../../broker/controller/partitionRegistration.ts'
import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { consumerProtocolSubscription } from '../../../protocol/kafka/coordinators/groups.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

const self = 1
const other = 2

let broker: MemoryBroker
let client: RawClient

beforeEach(async () => {
  broker = await MemoryBroker.start({
    'node.id': self,
    'offsets.topic.num.partitions': 2,
    'transaction.state.log.num.partitions': 2,
  })
  client = await broker.client()
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
})

afterEach(() => broker.stop())

/** Elects a leader for every partition of the topic, as another node's controller would. */
async function elect(topicName: string, leader: number): Promise<void> {
  const topic = broker.parts.controller.state.topic(topicName)!
  for (const [partition, { partitionEpoch }] of topic.partitions.entries()) {
    const isr = [leader === noLeader ? self : leader]
    const change = { replicas: [self, other], isr, leader, partitionEpoch: partitionEpoch + 1 }
    const command = { type: 'changePartition', topicId: topic.id, partition, change } as const
    const { metadataLog } = broker
    const outcome = await metadataLog.append(metadataLog.nextSequence, { version: 1, command })
    expect(outcome).toBe('appended')
  }
  await settle()
}

async function commitOffset(groupId: string, committedOffset: number): Promise<string> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
  const topics = [{ name: 't', partitions }]
  const answer = await client.send(offsetCommit, 8, { groupId, memberId: '', topics })
  return errorName(answer.topics[0]!.partitions[0]!.errorCode)
}

async function committedOffset(groupId: string): Promise<number | string> {
  const topics = [{ name: 't', partitionIndexes: [0] }]
  const groups = [{ groupId, topics, memberId: null, memberEpoch: -1 }]
  const [group] = (await client.send(offsetFetch, 9, { groups, requireStable: false })).groups
  if (group!.errorCode !== 0) return errorName(group!.errorCode)
  return group!.topics[0]!.partitions[0]!.committedOffset
}

describe('a coordinator whose partitions another broker leads', () => {
  it('refuses requests of groups with NOT_COORDINATOR, and has the offsets when it leads again', async () => {
    expect(await commitOffset('g', 5)).toBe('NONE')
    await elect('__consumer_offsets', other)
    expect(await commitOffset('g', 6)).toBe('NOT_COORDINATOR')
    expect(await committedOffset('g')).toBe('NOT_COORDINATOR')

    await elect('__consumer_offsets', self)
    expect(await committedOffset('g'), 'a refused commit has no effect').toBe(5)
    expect(await commitOffset('g', 7)).toBe('NONE')
    expect(await committedOffset('g')).toBe(7)
  })

  it('continues after a truncation during which the metadata made it the leader again', async () => {
    expect(await commitOffset('g', 5)).toBe('NONE')
    await elect('__consumer_offsets', other)
    const open = [0, 1].flatMap(
      (number) => broker.parts.replicas.partition('__consumer_offsets', number) ?? [],
    )
    const truncating = open.map((partition) =>
      partition.truncateTo(partition.log.logEndOffset, partition.leaderEpoch),
    )
    await elect('__consumer_offsets', self)
    expect(await Promise.all(truncating)).toEqual([true])
    await settle()
    expect(await committedOffset('g')).toBe(5)
  })

  it('answers members that wait for a generation, so that they find the new coordinator', async () => {
    expect(await commitOffset('g', 1), 'creates the topic').toBe('NONE')
    const metadata = consumerProtocolSubscription.encode({ topics: ['t'] })
    const request = {
      ...{ groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000 },
      ...{ memberId: '', protocolType: 'consumer', protocols: [{ name: 'range', metadata }] },
    }
    const first = await client.send(joinGroup, 3, request)
    expect(errorName(first.errorCode)).toBe('NONE')
    const waiting = (await broker.client()).send(joinGroup, 3, request)
    await settle()
    await elect('__consumer_offsets', noLeader)
    expect(errorName((await waiting).errorCode)).toBe('NOT_COORDINATOR')
  })

  it('refuses transactional ids, and fences their producers when it leads again', async () => {
    const init = () =>
      client.send(initProducerId, 5, { transactionalId: 'x', transactionTimeoutMs: 5000 })
    const first = await init()
    expect(errorName(first.errorCode)).toBe('NONE')
    await elect('__transaction_state', other)
    expect(errorName((await init()).errorCode)).toBe('NOT_COORDINATOR')
    await elect('__transaction_state', self)
    const again = await init()
    expect([errorName(again.errorCode), again.producerId, again.producerEpoch]).toEqual([
      ...['NONE', first.producerId, first.producerEpoch + 1],
    ])
  })
})

it('a transaction takes the offsets of a group that another broker coordinates', async () => {
  expect(await commitOffset('g', 1), 'creates the topic').toBe('NONE')
  await elect('__consumer_offsets', other)
  const { producerId, producerEpoch } = await client.send(initProducerId, 5, {
    ...{ transactionalId: 'x', transactionTimeoutMs: 5000 },
  })
  const producer = { transactionalId: 'x', producerId, producerEpoch }
  const added = await client.send(addOffsetsToTxn, 3, { ...producer, groupId: 'g' })
  expect(errorName(added.errorCode)).toBe('NONE')
  const { partitions } = broker.parts.transactions.describe('x')!
  expect([...partitions].map(({ topic }) => topic)).toEqual(['__consumer_offsets'])
})

describe('a partition that another broker leads', () => {
  it('takes no produces until this broker leads it again, in a later epoch', async () => {
    const send = async () => {
      const partitionData = [{ index: 0, records: batchOf('a') }]
      const topicData = [{ name: 't', partitionData }]
      const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
      const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
      return errorCode === 0 ? baseOffset : errorName(errorCode)
    }
    expect(await send()).toBe(0)
    await elect('t', other)
    expect(await send()).toBe('NOT_LEADER_OR_FOLLOWER')
    await elect('t', self)
    expect(await send()).toBe(1)
    const partition = broker.parts.replicas.partition('t', 0)!
    expect(partition.leaderEpoch).toBe(2)
  })
})
