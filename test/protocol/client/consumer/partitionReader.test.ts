import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../../../protocol/client/consumer/partitionReader.ts'
import { BatchSender } from '../../../../protocol/client/producer/batchSender.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { encodedBatch } from '../batches.ts'
import { drive } from '../drive.ts'
import { FakeCluster } from '../fakeBroker.ts'
import type { FakePartition } from '../fakeTopics.ts'

describe('PartitionReader', () => {
  let clock: ManualClock
  let fake: FakeCluster
  let cluster: Cluster
  let partition: FakePartition

  beforeEach(async () => {
    clock = new ManualClock()
    const network = memoryNetwork()
    fake = await FakeCluster.start(network, clock, { brokers: 2 })
    const runtime = { clock, network, random: seededRandom(1), scheduler: systemScheduler }
    cluster = new Cluster(runtime, { bootstrap: [...fake.addresses], clientId: 'test' })
    partition = fake.topics.create('orders', 1, 2)[0]!
    const sender = new BatchSender(cluster, clock, {
      acks: 1,
      deliveryTimeoutMs: 1,
      maxInFlight: 1,
    })
    for (const values of [['a', 'b'], ['c'], ['d', 'e', 'f']]) {
      await sender.send('orders', 0, encodedBatch(values))
    }
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  const reader = (options = {}) =>
    new PartitionReader(cluster, { topic: 'orders', partition: 0, ...options })
  const baseOffsets = (batches: Buffer) =>
    [...splitBatches(batches)].map(({ baseOffset }) => baseOffset)

  test('whole batches are returned, including one that starts before the offset', async () => {
    const { batches, highWatermark, logStartOffset } = await reader().fetch(1)
    expect(baseOffsets(batches)).toEqual([0, 2, 3])
    expect({ highWatermark, logStartOffset }).toEqual({ highWatermark: 6, logStartOffset: 0 })
  })

  test('a batch cut by the size limit is not returned', async () => {
    const { batches } = await reader({ maxBytes: 100 }).fetch(0)
    expect(baseOffsets(batches)).toEqual([0])
    const total = [...splitBatches(batches)].reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
    expect(batches.length).toBe(total)
  })

  test('a fetch at the end is empty; past it or before the start it is OFFSET_OUT_OF_RANGE', async () => {
    expect((await reader().fetch(6)).batches.length).toBe(0)
    partition.logStartOffset = 2
    for (const offset of [7, 1]) {
      await expect(reader().fetch(offset)).rejects.toMatchObject({
        errorCode: ErrorCode.offsetOutOfRange,
        code: 'OFFSET_OUT_OF_RANGE',
      })
    }
  })

  test('earliest and latest return the first and the next offset', async () => {
    partition.logStartOffset = 2
    expect(await reader().earliest()).toBe(2)
    expect(await reader().latest()).toBe(6)
  })

  test('reading continues after a leader change and lost connections', async () => {
    const one = reader()
    await one.fetch(0)
    partition.leader = 1
    expect(baseOffsets((await drive(clock, one.fetch(2))).batches)).toEqual([2, 3])
    fake.dropConnections()
    expect(baseOffsets((await drive(clock, one.fetch(3))).batches)).toEqual([3])
  })

  test('a fetch waits maxWaitMs, on a connection of its own', async () => {
    const seen: { maxWaitMs: number; minBytes: number }[] = []
    const ask = fake.handlerOf(fetch)
    fake.handle(fetch, (request, context) => {
      seen.push({ maxWaitMs: request.maxWaitMs, minBytes: request.minBytes })
      return new Promise((resolve) =>
        clock.setTimer(request.maxWaitMs, () => resolve(ask(request, context))),
      )
    })
    const slow = reader({ maxWaitMs: 40_000, minBytes: 1000 })
    const fetched = slow.fetch(6)
    await clock.advanceAndSettle(10)
    // Other requests do not wait for this fetch.
    expect(await reader().latest()).toBe(6)
    expect((await drive(clock, fetched, 1000)).batches.length).toBe(0)
    expect(seen).toEqual([{ maxWaitMs: 40_000, minBytes: 1000 }])
    slow.close()
  })

  test('with a topic id only that topic is read, with retries while brokers do not know it yet', async () => {
    const [ours, other] = [
      '11111111-1111-1111-1111-111111111111',
      '22222222-2222-2222-2222-222222222222',
    ]
    let current = ours!
    const describe = fake.handlerOf(metadata)
    fake.handle(metadata, async (request, context) => {
      const answer = await describe(request, context)
      return { ...answer, topics: answer.topics!.map((topic) => ({ ...topic, topicId: current })) }
    })
    const asked: { version: number; topicId: string }[] = []
    const read = fake.handlerOf(fetch)
    let unknown = 2
    fake.handle(fetch, async (request, context) => {
      const { topicId } = request.topics[0]!
      asked.push({ version: context.version, topicId })
      const isKnown = topicId === current && unknown-- <= 0
      if (isKnown) {
        const topics = request.topics.map((topic) => ({ ...topic, topic: 'orders' }))
        return await read({ ...request, topics }, context)
      }
      const errorCode = ErrorCode.unknownTopicId
      const partitions = [
        {
          partitionIndex: 0,
          errorCode,
          highWatermark: -1,
          abortedTransactions: null,
          records: null,
        },
      ]
      return { errorCode: ErrorCode.none, responses: [{ topicId, partitions }] }
    })
    const one = reader({ topicId: ours })
    expect(baseOffsets((await drive(clock, one.fetch(0))).batches)).toEqual([0, 2, 3])
    expect(asked).toEqual(Array(3).fill({ version: 13, topicId: ours }))
    current = other!
    const failed = await drive(
      clock,
      one.fetch(0).catch((error) => error),
    )
    expect(failed).toMatchObject({
      code: 'TOPIC_RECREATED',
      message: `topic orders with id ${ours} was deleted; the topic of this name now has id ${other}`,
    })
    // The refusal is not retried until a timeout: a deleted topic id never becomes valid again.
    expect(asked).toHaveLength(4)
    const named = reader({ topicId: '00000000-0000-0000-0000-000000000000' })
    fake.handle(fetch, read)
    expect((await drive(clock, named.fetch(0))).nextOffset).toBe(6)
  })

  test('a failure that outlasts retryTimeoutMs is thrown', async () => {
    const nowhere = new PartitionReader(cluster, {
      topic: 'none',
      partition: 0,
      retryTimeoutMs: 3000,
    })
    const failed = await drive(
      clock,
      nowhere.fetch(0).catch((error) => error),
    )
    expect(failed.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })
})
