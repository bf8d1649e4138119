// Offsets of groups in a whole broker: the answers of OffsetFetch and OffsetDelete, restarts and
// crashes, expired offsets, and offsets of open transactions.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { consumerProtocolSubscription } from '../../../protocol/kafka/coordinators/groups.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const minute = 60_000

describe('offsets of groups', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start({ 'offsets.retention.minutes': 60 })
    client = await broker.client()
    const topics = ['t', 'u'].map((name) => ({
      name,
      numPartitions: 2,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }))
    await client.send(createTopics, 7, { topics, timeoutMs: 1000 })
  })

  afterEach(() => broker.stop())

  const commit = async (groupId: string, topic: string, committedOffset: number, version = 8) => {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: 'm' }]
    const topics = [{ name: topic, partitions }]
    const retention = version <= 4 ? { retentionTimeMs: 5 * minute } : {}
    const request = { groupId, memberId: '', topics, ...retention }
    const answer = await client.send(offsetCommit, version, request)
    return errorName(answer.topics[0]!.partitions[0]!.errorCode)
  }

  const fetch = async (groupId: string, topic: string, requireStable = false) => {
    const topics = [{ name: topic, partitionIndexes: [0] }]
    const answer = await client.send(offsetFetch, 9, {
      groups: [{ groupId, topics, memberId: null, memberEpoch: -1 }],
      requireStable,
    })
    const { committedOffset, errorCode } = answer.groups[0]!.topics[0]!.partitions[0]!
    return errorCode === 0 ? committedOffset : errorName(errorCode)
  }

  const deleteOffsets = async (groupId: string, topic: string, ...partitions: number[]) => {
    const topics = [
      { name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) },
    ]
    const answer = await client.send(offsetDelete, 0, { groupId, topics })
    if (answer.errorCode !== 0) return errorName(answer.errorCode)
    return answer.topics.flatMap((each) =>
      each.partitions.map(({ errorCode }) => errorName(errorCode)),
    )
  }

  /** Adds one member, subscribed to `t`. */
  const join = async (groupId: string) => {
    const metadata = consumerProtocolSubscription.encode({ topics: ['t'] })
    const { memberId } = await client.send(joinGroup, 3, {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata }],
    })
    const assignments = [{ memberId, assignment: Buffer.from('a') }]
    await client.send(syncGroup, 2, { groupId, generationId: 1, memberId, assignments })
    return memberId
  }

  /** Idle connections are closed after this time. */
  const pass = async (ms: number) => {
    await broker.clock.advanceAndSettle(ms)
    client = await broker.client()
  }

  it('are -1 without a commit, and for a group that does not exist', async () => {
    expect(await fetch('nobody', 't')).toBe(-1)
    expect(await commit('g', 't', 5)).toBe('NONE')
    expect([await fetch('g', 't'), await fetch('g', 'u')]).toEqual([5, -1])
    const answer = await client.send(offsetFetch, 7, {
      groupId: 'nobody',
      topics: null,
      requireStable: true,
    })
    expect(answer).toMatchObject({ errorCode: 0, topics: [] })
  })

  it('of all partitions are the committed ones', async () => {
    await commit('g', 't', 5)
    await commit('g', 'u', 6)
    const answer = await client.send(offsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] })
    const { topics } = answer.groups[0]!
    expect(topics.map(({ name }) => name).sort()).toEqual(['t', 'u'])
  })

  it('are deleted, unless a member is subscribed or the partition does not exist', async () => {
    expect(await deleteOffsets('', 't', 0)).toBe('INVALID_GROUP_ID')
    expect(await deleteOffsets('g', 't', 0)).toBe('GROUP_ID_NOT_FOUND')
    await commit('g', 't', 5)
    await commit('g', 'u', 6)
    const memberId = await join('g')
    expect(await deleteOffsets('g', 't', 0)).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC'])
    expect(await deleteOffsets('g', 'u', 0, 7)).toEqual(['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'])
    expect(await deleteOffsets('g', 'gone', 0)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION'])
    expect([await fetch('g', 't'), await fetch('g', 'u')]).toEqual([5, -1])
    await client.send(leaveGroup, 3, { groupId: 'g', members: [{ memberId }] })
    expect(await deleteOffsets('g', 't', 0)).toEqual(['NONE'])
    await broker.crash()
    client = await broker.client()
    expect(await fetch('g', 't')).toBe(-1)
  })

  it('expire with their group when they were unused for the retention time', async () => {
    await commit('g', 't', 5)
    await commit('old', 't', 6, 4)
    await pass(20 * minute)
    expect(await fetch('old', 't')).toBe(-1)
    expect(await fetch('g', 't')).toBe(5)
    await pass(50 * minute)
    expect(await fetch('g', 't')).toBe(-1)
    const { groups } = await client.send(listGroups, 5, {})
    expect(groups).toEqual([])
    await broker.crash()
    client = await broker.client()
    expect((await client.send(listGroups, 5, {})).groups).toEqual([])
  })

  it('are removed with their topic', async () => {
    await commit('g', 't', 5)
    const topics = [{ name: 't', topicId: zeroUuid }]
    await client.send(deleteTopics, 6, { topics, timeoutMs: 1000 })
    expect(await fetch('g', 't')).toBe(-1)
  })

  it('are removed with their group, which must be empty', async () => {
    const remove = async (groupsNames: string[]) => {
      const { results } = await client.send(deleteGroups, 2, { groupsNames })
      return results.map(({ errorCode }) => errorName(errorCode))
    }
    await commit('g', 't', 5)
    await commit('', 't', 6)
    await join('busy')
    expect(await remove(['g', 'busy', 'nobody', ''])).toEqual([
      'NONE',
      'NON_EMPTY_GROUP',
      'GROUP_ID_NOT_FOUND',
      'NONE',
    ])
    expect([await fetch('g', 't'), await fetch('', 't')]).toEqual([-1, -1])
  })

  it('of a transaction are not visible before it is committed, not even after a crash', async () => {
    await commit('g', 't', 5)
    const both = async () => [await fetch('g', 't'), await fetch('g', 't', true)]
    const transactionalId = 'x'
    const { producerId, producerEpoch } = await client.send(initProducerId, 4, {
      transactionalId,
      transactionTimeoutMs: minute,
    })
    const producer = { transactionalId, producerId, producerEpoch }
    const added = await client.send(addOffsetsToTxn, 3, { ...producer, groupId: 'g' })
    expect(errorName(added.errorCode)).toBe('NONE')
    const partitions = [{ partitionIndex: 0, committedOffset: 9, committedMetadata: null }]
    const request = { ...producer, groupId: 'g', topics: [{ name: 't', partitions }] }
    const { topics } = await client.send(txnOffsetCommit, 3, request)
    expect(errorName(topics[0]!.partitions[0]!.errorCode)).toBe('NONE')
    expect(await both()).toEqual([5, 'UNSTABLE_OFFSET_COMMIT'])
    await broker.crash()
    client = await broker.client()
    expect(await both()).toEqual([5, 'UNSTABLE_OFFSET_COMMIT'])
    await client.send(endTxn, 3, { ...producer, committed: true })
    await broker.clock.advanceAndSettle(1000)
    expect(await both()).toEqual([9, 9])
    await broker.crash()
    client = await broker.client()
    expect(await both()).toEqual([9, 9])
  })
})

describe('the description of a group', () => {
  it('is Dead when the group does not exist, which is an error from version 6 on', async () => {
    const broker = await MemoryBroker.start()
    const client = await broker.client()
    const ask = async (version: number) => {
      const { groups } = await client.send(describeGroups, version, { groups: ['nobody'] })
      return groups[0]
    }
    expect(await ask(5)).toMatchObject({ errorCode: 0, groupState: 'Dead' })
    expect(await ask(6)).toMatchObject({ errorCode: 69, groupState: 'Dead' })
    await broker.stop()
  })
})
