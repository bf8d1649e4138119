// A partition with damaged bytes on disk, as clients see it: records before the damage can be read,
// then follows an error that a consumer reports to its program; appends are refused, admin tools
// get answers, and other partitions are served.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { believedForMs } from '../../../broker/log/segment/checkedRange.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { makeBatch } from '../log/logFixture.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const path = '/data/t-0/00000000000000000000.log'
const batchBytes = makeBatch({ records: 1 }).length
const latest = -1
const earliest = -2

let broker: MemoryBroker
let client: RawClient

async function append(index: number, timestampMs = 1000) {
  const records = makeBatch({ records: 1, timestampMs })
  const topicData = [{ name: 't', partitionData: [{ index, records }] }]
  const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
  return answer.responses[0]!.partitionResponses[0]!
}

async function fetchFrom(fetchOffset: number, partition = 0, minBytes = 1) {
  const partitions = [{ partition, fetchOffset, partitionMaxBytes: 10_000 }]
  const asked = {
    maxWaitMs: minBytes > 1 ? 500 : 0,
    minBytes,
    topics: [{ topic: 't', partitions }],
  }
  return (await client.send(fetch, 11, asked)).responses[0]!.partitions[0]!
}

function offsetsOf(bytes: Buffer): number[] {
  return [...splitBatches(bytes)].flatMap((batch) =>
    [...records(batch, 1000)].map(({ offset }) => offset),
  )
}

async function offsetAt(timestamp: number) {
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }]
  const answer = await client.send(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics })
  return answer.topics[0]!.partitions[0]!
}

/** Three records in partition 0; the value of the second one is damaged. */
beforeEach(async () => {
  broker = await MemoryBroker.start()
  client = await broker.client()
  const topic = { name: 't', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
  for (const timestampMs of [1000, 2000, 3000]) {
    expect((await append(0, timestampMs)).errorCode).toBe(ErrorCode.none)
  }
  // Waits until everything is in the file, and no longer trusted because it was just appended.
  await broker.clock.advanceAndSettle(believedForMs)
  const file = await broker.disk.open(path, 'write')
  await file.write([Buffer.from('x')], 2 * batchBytes - 3)
  await file.close()
})

afterEach(() => broker.stop())

test('a consumer gets the intact records, then an error; the log names the position', async () => {
  const sound = await fetchFrom(0)
  expect(sound.errorCode).toBe(ErrorCode.none)
  expect(offsetsOf(sound.records!)).toEqual([0])
  const damaged = await fetchFrom(1)
  expect(damaged.errorCode).toBe(ErrorCode.corruptMessage)
  expect(damaged.records).toHaveLength(0)
  const line = broker.logger.lines.find(({ level }) => level === 'error')
  expect(String(line?.fields.error)).toContain(`${path} is damaged at byte ${batchBytes}`)
  expect(offsetsOf((await fetchFrom(2)).records!)).toEqual([2])
})

test('the damage is logged once, however often clients read it', async () => {
  for (let times = 0; times < 20; times++) {
    expect((await fetchFrom(1)).errorCode).toBe(ErrorCode.corruptMessage)
  }
  const messages = broker.logger.messages('error')
  expect(new Set(messages).size).toBe(messages.length)
})

test('a long poll for more than the intact records waits until its deadline, and reads at most twice', async () => {
  const waiting = fetchFrom(0, 0, 10_000)
  await broker.clock.advanceAndSettle(500)
  expect(offsetsOf((await waiting).records!)).toEqual([0])
  expect(broker.logger.messages('error')).toEqual([])
})

test('appends are refused, except to other partitions; admin tools get answers', async () => {
  await fetchFrom(1)
  const refused = await append(0)
  expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
  expect(refused.errorMessage).toContain(`${path} is damaged at byte ${batchBytes}`)
  expect((await append(1)).errorCode).toBe(ErrorCode.none)
  expect(offsetsOf((await fetchFrom(0, 1)).records!)).toEqual([0])
  expect(await offsetAt(earliest)).toMatchObject({ errorCode: 0, offset: 0 })
  expect(await offsetAt(latest)).toMatchObject({ errorCode: 0, offset: 3 })
  expect(await offsetAt(0)).toMatchObject({ errorCode: 0, offset: 0 })
  expect((await offsetAt(1500)).errorCode).toBe(ErrorCode.corruptMessage)
  const [described] = (await client.send(describeLogDirs, 4, { topics: null })).results
  expect(described!.errorCode).toBe(ErrorCode.none)
  const [ofTopic] = described!.topics
  expect(ofTopic!.partitions.map(({ partitionSize }) => partitionSize)).toEqual([
    3 * batchBytes,
    batchBytes,
  ])
})
