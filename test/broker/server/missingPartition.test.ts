// A partition whose directory was removed while the broker was down, as clients see it: offline,
// not empty, until its directory is restored or its topic is deleted. Other partitions are served.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { makeBatch } from '../log/logFixture.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

let broker: MemoryBroker
let client: RawClient

const append = async (index: number) => {
  const topicData = [{ name: 't', partitionData: [{ index, records: makeBatch({ records: 1 }) }] }]
  const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
  return answer.responses[0]!.partitionResponses[0]!
}

const fetched = async (partition: number) => {
  const topics = [
    { topic: 't', partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 1000 }] },
  ]
  const answer = await client.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, topics })
  return answer.responses[0]!.partitions[0]!
}

const leaders = async () => {
  const answer = await client.send(metadata, 9, { topics: [{ name: 't' }] })
  const partitions = answer.topics[0]!.partitions
  return partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId]).sort()
}

const create = async () => {
  const topic = { name: 't', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
}

const restart = async () => {
  await broker.broker.close()
  await broker.disk.remove('/data/t-0')
  await broker.start()
  client = await broker.client()
}

beforeEach(async () => {
  broker = await MemoryBroker.start()
  client = await broker.client()
  await create()
  for (const partition of [0, 1, 1]) await append(partition)
})

afterEach(() => broker.stop())

test('is offline, with a reason in the log; the others are served', async () => {
  for (let start = 0; start < 2; start++) {
    await restart()
    expect(await append(0)).toMatchObject({ errorCode: ErrorCode.kafkaStorageError })
    expect(await fetched(0)).toMatchObject({ errorCode: ErrorCode.kafkaStorageError })
    expect(await leaders()).toEqual([
      [0, -1],
      [1, 1],
    ])
    expect(await append(1)).toMatchObject({ errorCode: 0, baseOffset: 2 + start })
    const line = broker.logger.lines.findLast(({ level }) => level === 'error')
    expect(line?.message).toBe('a partition is offline')
    expect(String(line?.fields.error)).toMatch(
      /\/data\/t-0 is missing; it held records up to offset 1 at least.*Restore the directory/,
    )
  }
})

test('can be created again after its topic was deleted', async () => {
  await restart()
  const topicNames = ['t']
  const deleted = await client.send(deleteTopics, 5, { topicNames, timeoutMs: 1000 })
  expect(deleted.responses[0]).toMatchObject({ errorCode: 0 })
  await create()
  expect(await append(0)).toMatchObject({ errorCode: 0, baseOffset: 0 })
  await broker.broker.close()
  await broker.start()
  client = await broker.client()
  expect(await append(0)).toMatchObject({ errorCode: 0, baseOffset: 1 })
})
