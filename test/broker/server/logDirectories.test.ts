// Several data folders behind a broker: what DescribeLogDirs tells of them, and what clients are told of
// partitions that lie in one that has failed. Nobody may get an empty log in the place of such a one.

import { expect, test } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
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

test('partitions of a failed data folder are offline, and what is new goes elsewhere', async () => {
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
