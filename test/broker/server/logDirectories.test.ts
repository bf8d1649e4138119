// A broker with several data directories: the answers of DescribeLogDirs, and the errors for
// partitions in a failed directory. A client must never see an empty log in place of an offline
// one.

import { beforeEach, describe, expect, test } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { AdminRequests } from '../failures/adminRequests.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

async function createTopic(client: RawClient, name: string, numPartitions: number): Promise<void> {
  const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }]
  const answer = await client.send(createTopics, 5, {
    topics,
    timeoutMs: 1000,
    validateOnly: false,
  })
  expect(answer.topics[0]!.errorCode).toBe(ErrorCode.none)
}

async function produceTo(client: RawClient, name: string, index: number): Promise<number> {
  const partitionData = [{ index, records: batchOf('value') }]
  const topicData = [{ name, partitionData }]
  const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
  return answer.responses[0]!.partitionResponses[0]!.errorCode
}

test('partitions in a failed data directory are offline, and new ones are created elsewhere', async () => {
  const broker = await MemoryBroker.start({ 'log.dirs': '/one,/two' })
  const before = await broker.client()
  await createTopic(before, 't', 2)
  for (const partition of [0, 1]) expect(await produceTo(before, 't', partition)).toBe(0)
  const whole = await before.send(describeLogDirs, 4, { topics: null })
  const places = whole.results.map(({ logDir, topics }) => [logDir, topics[0]?.partitions.length])
  expect(places).toEqual([
    ['/one', 1],
    ['/two', 1],
  ])
  const hidden = whole.results[1]!.topics[0]!.partitions[0]!.partitionIndex
  await broker.stop()
  await broker.disk.rename('/two', '/taken-away')
  await (await broker.disk.open('/two', 'write')).close()

  await broker.start()
  const client = await broker.client()
  expect(await produceTo(client, 't', 1 - hidden)).toBe(ErrorCode.none)
  expect(await produceTo(client, 't', hidden)).toBe(ErrorCode.kafkaStorageError)
  const offsets = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 't', partitions: [{ partitionIndex: hidden, timestamp: -1 }] }],
  })
  expect(offsets.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.kafkaStorageError)
  const deleted = await client.send(deleteRecords, 2, {
    topics: [{ name: 't', partitions: [{ partitionIndex: hidden, offset: 0 }] }],
    timeoutMs: 1000,
  })
  expect(deleted.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.kafkaStorageError)
  await createTopic(client, 'new', 2)
  for (const partition of [0, 1]) expect(await produceTo(client, 'new', partition)).toBe(0)
  const wanted = [{ topic: 'new', partitions: [1] }]
  const { results } = await client.send(describeLogDirs, 4, { topics: wanted })
  expect(results).toMatchObject([
    {
      errorCode: 0,
      logDir: '/one',
      topics: [{ name: 'new', partitions: [{ partitionIndex: 1 }] }],
    },
    { errorCode: ErrorCode.kafkaStorageError, logDir: '/two', topics: [] },
  ])
  await broker.stop()
})

test('a group whose offsets are in a failed data directory is not told that it has none', async () => {
  const broker = await MemoryBroker.start({
    'log.dirs': '/one,/two',
    'offsets.topic.num.partitions': 2,
  })
  const before = await broker.client()
  await createTopic(before, 't', 1)
  const groups = Array.from({ length: 8 }, (_, number) => `group-${number}`)
  const partitions = [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }]
  for (const groupId of groups) {
    const request = { groupId, memberId: '', topics: [{ name: 't', partitions }] }
    const { topics } = await before.send(offsetCommit, 8, request)
    expect(topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.none)
  }
  await broker.stop()
  await broker.disk.rename('/two', '/taken-away')
  await (await broker.disk.open('/two', 'write')).close()

  await broker.start()
  const client = await broker.client()
  const answers = await Promise.all(
    groups.map(async (groupId) => {
      const topics = [{ name: 't', partitionIndexes: [0] }]
      const answer = await client.send(offsetFetch, 8, { groups: [{ groupId, topics }] })
      const { errorCode, topics: found } = answer.groups[0]!
      return errorCode || found[0]!.partitions[0]!.committedOffset
    }),
  )
  expect(new Set(answers)).toEqual(new Set([7, ErrorCode.notCoordinator]))
  await broker.stop()
})

describe('a data directory that fails while the broker runs', () => {
  let failing: string[] = []
  let broker: MemoryBroker
  let client: RawClient
  /** The partition of `t` that lies in /two. */
  let lost: number

  beforeEach(async () => {
    failing = []
    broker = await MemoryBroker.start({ 'log.dirs': '/one,/two' })
    await broker.stop()
    broker.disk = new MemoryDisk({
      beforeChange: (operation, path) => {
        if (!failing.some((directory) => path.startsWith(directory))) return
        throw Object.assign(new Error(`EIO: ${operation}`), { code: 'EIO' })
      },
    })
    await broker.start()
    client = await broker.client()
    await createTopic(client, 't', 2)
    for (const partition of [0, 1]) expect(await produceTo(client, 't', partition)).toBe(0)
    const { results } = await client.send(describeLogDirs, 4, { topics: null })
    lost = results[1]!.topics[0]!.partitions[0]!.partitionIndex
  })

  async function read(partition: number, fetchOffset: number, maxWaitMs = 0) {
    const partitions = [{ partition, fetchOffset, partitionMaxBytes: 1000 }]
    const topics = [{ topic: 't', partitions }]
    const answer = await client.send(fetch, 11, { maxWaitMs, minBytes: 1, topics })
    return answer.responses[0]!.partitions[0]!
  }

  test('is offline immediately with its partitions, for clients and admin tools', async () => {
    const waiting = read(lost, 1, 300)
    await settle()
    failing = ['/two']
    const other = await broker.client()
    expect(await produceTo(other, 't', lost)).toBe(ErrorCode.kafkaStorageError)
    expect(await produceTo(other, 't', 1 - lost)).toBe(ErrorCode.none)
    await broker.clock.advanceAndSettle(300)
    expect((await waiting).records).toHaveLength(0)
    expect((await read(lost, 0)).errorCode).toBe(ErrorCode.kafkaStorageError)
    expect((await read(1 - lost, 0)).errorCode).toBe(ErrorCode.none)
    const errors = broker.logger.messages('error')
    expect(errors).toEqual(['a data directory has failed'])

    const [topic] = (await client.send(metadata, 9, { topics: [{ name: 't' }] })).topics
    const offline = { leaderId: -1, isrNodes: [1], offlineReplicas: [1] }
    expect(topic!.partitions[lost]).toMatchObject({
      errorCode: ErrorCode.leaderNotAvailable,
      ...offline,
    })
    expect(topic!.partitions[1 - lost]).toMatchObject({ errorCode: 0, leaderId: 1 })
    const [overview] = broker.broker.topics()
    expect(overview!.partitions[lost]!.isOffline).toBe(true)
    expect(overview!.partitions[1 - lost]!.isOffline).toBe(false)
    const described = await client.send(describeTopicPartitions, 0, {
      topics: [{ name: 't' }],
      responsePartitionLimit: 10,
      cursor: null,
    })
    expect(described.topics[0]!.partitions[lost]).toMatchObject({ errorCode: 0, ...offline })

    await createTopic(client, 'new', 2)
    const { results } = await client.send(describeLogDirs, 4, { topics: null })
    expect(results).toMatchObject([
      { errorCode: 0, logDir: '/one', topics: [{ name: 't' }, { name: 'new' }] },
      { errorCode: ErrorCode.kafkaStorageError, logDir: '/two', topics: [] },
    ])
    expect(results[0]!.topics[1]!.partitions).toHaveLength(2)
    for (const partition of [0, 1]) expect(await produceTo(client, 'new', partition)).toBe(0)
    await broker.stop()
  })

  test('has all acknowledged records after a restart', async () => {
    failing = ['/two']
    await produceTo(client, 't', lost)
    await broker.stop()
    failing = []
    await broker.start()
    client = await broker.client()
    const { errorCode, highWatermark } = await read(lost, 0)
    expect([errorCode, highWatermark >= 1]).toEqual([ErrorCode.none, true])
    expect(await produceTo(client, 't', lost)).toBe(ErrorCode.none)
    await broker.stop()
  })

  test('delays the completion of a transaction until its marker is written there', async () => {
    const admin = new AdminRequests(client)
    const { producerId, producerEpoch } = await admin.initProducerId('tx')
    const producer = { transactionalId: 'tx', producerId, producerEpoch }
    expect(await admin.addPartitions(producer, 't', [0, 1])).toEqual([0, 0])
    expect(await admin.produce('t', lost, ['in transaction'], producer)).toBe(0)
    failing = ['/two']
    await produceTo(client, 't', lost)
    expect(await admin.endTransaction(producer, true)).toBe(ErrorCode.none)
    await broker.clock.advanceAndSettle(30_000)
    expect(await admin.endTransaction(producer, true)).toBe(ErrorCode.concurrentTransactions)
    const warnings = broker.logger.messages('warn').filter((line) => line.includes('marker'))
    expect(warnings).toEqual(['failed to write a transaction marker; retrying until it is written'])
    await broker.stop()
    failing = []
    await broker.start()
    client = await broker.client()
    await broker.clock.advanceAndSettle(2000)
    expect(await new AdminRequests(client).read('t', lost)).toContain('in transaction')
    await broker.stop()
  })

  test.each([
    ['the last one', ['/two', '/one'], 'no data directory is left'],
    ['the one with the metadata', ['/one'], 'the data directory with the metadata failed'],
  ])('stops the broker when it is %s', async (_, directories, reason) => {
    for (const directory of directories) {
      failing.push(directory)
      for (const partition of [0, 1]) await produceTo(client, 't', partition)
    }
    expect(await broker.broker.failed).toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
    const last = broker.logger.lines.findLast(({ level }) => level === 'error')
    expect(last).toMatchObject({ message: 'the broker must stop', fields: { reason } })
    await broker.stop()
  })
})
