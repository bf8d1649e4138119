// The answers of handlers that do more than pass on: names and ids, addresses, refusals, and state
// that survives a restart.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

describe('handlers', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
  })

  afterEach(() => broker.stop())

  const create = (name: string, numPartitions = 1) =>
    client.send(createTopics, 7, {
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 1000,
    })

  const commit = async (topic: string, committedOffset: number) => {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: null }]
    const topics = [{ name: topic, partitions }]
    const answer = await client.send(offsetCommit, 8, { groupId: 'g', memberId: '', topics })
    return answer.topics[0]!.partitions[0]!.errorCode
  }

  const committed = async (topic: string) => {
    const topics = [{ name: topic, partitionIndexes: [0] }]
    const answer = await client.send(offsetFetch, 8, { groups: [{ groupId: 'g', topics }] })
    return answer.groups[0]!.topics[0]!.partitions[0]!.committedOffset
  }

  it('finds topics by id, until the topic is deleted', async () => {
    const topicId = (await create('t')).topics[0]!.topicId
    const partitionData = [{ index: 0, records: batchOf('a', 'b') }]
    const sent = await client.send(produce, 13, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ topicId, partitionData }],
    })
    expect(sent.responses[0]).toMatchObject({ topicId, partitionResponses: [{ errorCode: 0 }] })
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
    const fetchIt = () =>
      client.send(fetch, 17, { maxWaitMs: 0, minBytes: 1, topics: [{ topicId, partitions }] })
    const fetched = await fetchIt()
    expect(fetched.responses[0]).toMatchObject({ topicId, partitions: [{ highWatermark: 2 }] })
    const topics = [{ name: null, topicId }]
    expect((await client.send(metadata, 12, { topics })).topics[0]).toMatchObject({ name: 't' })

    await client.send(deleteTopics, 6, { topics: [{ name: null, topicId }], timeoutMs: 1000 })
    await create('t')
    const stale = await fetchIt()
    expect(stale.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.unknownTopicId)
    const gone = await client.send(metadata, 12, { topics })
    expect(gone.topics[0]).toMatchObject({ errorCode: ErrorCode.unknownTopicId })
  })

  it('creates a topic on demand only when both the client and the broker allow it', async () => {
    const ask = async (name: string, allowAutoTopicCreation: boolean) => {
      const request = { topics: [{ name, topicId: zeroUuid }], allowAutoTopicCreation }
      return (await client.send(metadata, 9, request)).topics[0]!
    }
    expect(await ask('t', false)).toMatchObject({ errorCode: ErrorCode.unknownTopicOrPartition })
    expect(await ask('t', true)).toMatchObject({
      errorCode: ErrorCode.unknownTopicOrPartition,
      topicId: zeroUuid,
      partitions: [],
    })
    expect(await ask('t', true)).toMatchObject({ errorCode: 0, partitions: [{ leaderId: 1 }] })
    expect(await ask('t', false)).toMatchObject({ errorCode: 0 })
    expect(await ask('bad name', true)).toMatchObject({
      errorCode: ErrorCode.invalidTopicException,
    })
  })

  it('does not create a deleted topic again when its client checks the deletion', async () => {
    await create('t')
    await client.send(deleteTopics, 6, {
      topics: [{ name: 't', topicId: zeroUuid }],
      timeoutMs: 1000,
    })
    const { topics } = await client.send(metadata, 9, { topics: [{ name: 't' }] })
    expect(topics).toMatchObject([{ name: 't', errorCode: ErrorCode.unknownTopicOrPartition }])
  })

  it('refuses to create a topic immediately, with the reason', async () => {
    await create('a.b')
    const { topics } = await client.send(metadata, 9, { topics: [{ name: 'a_b' }] })
    expect(topics).toMatchObject([{ name: 'a_b', errorCode: ErrorCode.invalidTopicException }])
  })

  it('distinguishes a request for all topics from one for none', async () => {
    await create('t')
    const count = async (version: number, topics: [] | null) =>
      (await client.send(metadata, version, { topics })).topics.length
    expect(await count(0, [])).toBe(1)
    expect(await count(1, [])).toBe(0)
    expect(await count(1, null)).toBe(1)
  })

  it('returns the address that the listener of the client advertises', async () => {
    const { brokers } = await client.send(metadata, 9, { topics: [] })
    expect(brokers).toMatchObject([{ nodeId: 1, host: 'broker', port: 9092 }])
    const found = await client.send(findCoordinator, 4, { coordinatorKeys: ['g'] })
    expect(found.coordinators[0]).toMatchObject({ nodeId: 1, host: 'broker', port: 9092 })
  })

  it('deduplicates the batches of an idempotent producer', async () => {
    await create('t')
    const ids = { transactionalId: null, transactionTimeoutMs: 1000 }
    const { producerId, producerEpoch } = await client.send(initProducerId, 4, ids)
    const send = async () => {
      const builder = new RecordBatchBuilder({ producerId, producerEpoch, baseSequence: 0 })
      builder.append(0, null, Buffer.from('once'))
      const partitionData = [{ index: 0, records: builder.build() }]
      const topicData = [{ name: 't', partitionData }]
      const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
      return answer.responses[0]!.partitionResponses[0]!
    }
    expect(await send()).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(await send()).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(broker.broker.topics()[0]).toMatchObject({ name: 't', messagesInTotal: 1 })
  })

  it('gives every producer a unique id, also after a crash', async () => {
    const ids = new Set<number>()
    const request = { transactionalId: null, transactionTimeoutMs: 1000, producerId: 0 }
    const take = async () => ids.add((await client.send(initProducerId, 4, request)).producerId)
    for (let count = 0; count < 3; count++) await take()
    await broker.broker.close()
    await broker.start()
    client = await broker.client()
    await take()
    expect(ids.size).toBe(4)
  })

  it('is the coordinator of groups and transactions, and of nothing else', async () => {
    const find = async (keyType: number) => {
      const request = { coordinatorKeys: ['a', 'b'], keyType }
      return (await client.send(findCoordinator, 6, request)).coordinators
    }
    const here = { nodeId: 1, host: 'broker', port: 9092, errorCode: 0 }
    expect(await find(0)).toMatchObject([{ key: 'a', ...here }, here])
    expect(await find(1)).toMatchObject([{ key: 'a', ...here }, here])
    expect(await find(2)).toMatchObject([{ nodeId: -1, errorCode: ErrorCode.invalidRequest }, {}])
  })

  it('keeps topics, records and committed offsets across a restart', async () => {
    await create('t', 2)
    await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 1, records: batchOf('a') }] }],
    })
    expect(await commit('t', 7)).toBe(ErrorCode.none)
    const id = broker.broker.clusterId
    await broker.broker.close()
    await broker.start()
    client = await broker.client()
    expect(broker.broker.clusterId).toBe(id)
    expect(await committed('t')).toBe(7)
    const partitions = [{ partitionIndex: 1, timestamp: -1 }]
    const listed = await client.send(listOffsets, 7, {
      replicaId: -1,
      topics: [{ name: 't', partitions }],
    })
    expect(listed.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, offset: 1 })
  })

  it('keeps acknowledged records after a loss of power', async () => {
    await create('t')
    const send = (value: string) => {
      const partitionData = [{ index: 0, records: batchOf(value) }]
      const topicData = [{ name: 't', partitionData }]
      return client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
    }
    await Promise.all(Array.from({ length: 20 }, (_, index) => send(`value ${index}`)))
    expect(await commit('t', 11)).toBe(ErrorCode.none)
    const lost = send('never answered')
    await broker.crash()
    await expect(lost).rejects.toThrow('closed')
    client = await broker.client()
    expect(await committed('t')).toBe(11)
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }]
    const topics = [{ topic: 't', partitions }]
    const answer = await client.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, topics })
    const { records, highWatermark } = answer.responses[0]!.partitions[0]!
    expect(highWatermark).toBeGreaterThanOrEqual(20)
    expect([...splitBatches(records!)].slice(0, 20).map((batch) => batch.baseOffset)).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    )
  })

  it('removes the offsets of a deleted topic durably', async () => {
    await create('t')
    await commit('t', 7)
    await client.send(deleteTopics, 4, { topicNames: ['t'], timeoutMs: 1000 })
    await create('t')
    expect(await committed('t')).toBe(-1)
    await broker.broker.close()
    await broker.start()
    client = await broker.client()
    expect(await committed('t')).toBe(-1)
  })

  it('shows partitions of __consumer_offsets without a log as empty', async () => {
    await create('t')
    await commit('t', 7)
    const latest = await Promise.all(
      [0, 1, 50].map(async (partitionIndex) => {
        const partitions = [{ partitionIndex, timestamp: -1 }]
        const topics = [{ name: '__consumer_offsets', partitions }]
        const answer = await client.send(listOffsets, 7, { replicaId: -1, topics })
        return answer.topics[0]!.partitions[0]!.errorCode
      }),
    )
    expect(latest).toEqual([0, 0, ErrorCode.unknownTopicOrPartition])
  })

  it('commits no offset for a partition that does not exist', async () => {
    expect(await commit('nowhere', 1)).toBe(ErrorCode.unknownTopicOrPartition)
  })

  it('describes the configs of a topic with their sources', async () => {
    const configs = [{ name: 'retention.ms', value: '1000' }]
    await client.send(createTopics, 7, {
      topics: [{ name: 't', numPartitions: 1, replicationFactor: -1, assignments: [], configs }],
      timeoutMs: 1000,
    })
    const resource = { resourceType: 2, resourceName: 't' }
    const configurationKeys = ['retention.ms', 'segment.ms']
    const answer = await client.send(describeConfigs, 4, {
      resources: [{ ...resource, configurationKeys }],
    })
    expect(answer.results[0]!.configs).toMatchObject([
      { name: 'retention.ms', value: '1000', configSource: 1 },
      { name: 'segment.ms', value: '604800000', configSource: 5 },
    ])
  })
})
