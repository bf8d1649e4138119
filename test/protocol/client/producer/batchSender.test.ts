import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { BatchSender, initProducerId } from '../../../../protocol/client/producer/batchSender.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { encodedBatch } from '../batches.ts'
import { drive } from '../drive.ts'
import { FakeCluster } from '../fakeBroker.ts'

const forever = { acks: -1, deliveryTimeoutMs: Infinity, maxInFlight: 5 } as const

async function start(brokers = 1, seed = 1) {
  const clock = new ManualClock()
  const network = memoryNetwork()
  const random = seededRandom(seed)
  const fake = await FakeCluster.start(network, clock, { brokers, random })
  const runtime = { clock, network, random: seededRandom(seed + 1), scheduler: systemScheduler }
  const cluster = new Cluster(runtime, { bootstrap: [...fake.addresses], clientId: 'test' })
  return { clock, fake, cluster }
}

describe('BatchSender', () => {
  let clock: ManualClock
  let fake: FakeCluster
  let cluster: Cluster

  beforeEach(async () => {
    ;({ clock, fake, cluster } = await start(2))
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  test('a batch is sent unchanged and resolves with its offset', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const sender = new BatchSender(cluster, clock, forever)
    const batch = encodedBatch(['a', 'b'])
    const before = Buffer.from(batch)
    expect(await sender.send('orders', 0, batch)).toEqual({ baseOffset: 0, duplicate: false })
    expect(await sender.send('orders', 0, encodedBatch(['c']))).toMatchObject({ baseOffset: 2 })
    expect(batch.equals(before)).toBe(true)
    expect(partition!.values()).toEqual(['a', 'b', 'c'])
    expect(sender.queuedBytes).toBe(0)
  })

  test('batches of several partitions that are queued together share a request per leader', async () => {
    fake.topics.create('orders', 8, 2)
    fake.topics.create('other', 2, 2)
    const sender = new BatchSender(cluster, clock, forever)
    const warm = [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
      sender.send('orders', index, encodedBatch(['x'])),
    )
    await Promise.all([
      ...warm,
      sender.send('other', 0, encodedBatch(['x'])),
      sender.send('other', 1, encodedBatch(['x'])),
    ])
    fake.asked.clear()
    const sent = [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
      sender.send('orders', index, encodedBatch(['y'])),
    )
    await Promise.all([...sent, sender.send('other', 0, encodedBatch(['y']))])
    expect(fake.asked.get('Produce')).toBe(2)
  })

  test('after NOT_LEADER_OR_FOLLOWER batches go to the new leader, in order', async () => {
    const [partition] = fake.topics.create('orders', 1, 2)
    const identity = await initProducerId(cluster)
    const sender = new BatchSender(cluster, clock, forever)
    await sender.send('orders', 0, encodedBatch(['0'], identity, 0))
    partition!.leader = 1
    const sent = [1, 2, 3, 4, 5, 6, 7].map((number) =>
      sender.send('orders', 0, encodedBatch([String(number)], identity, number)),
    )
    await drive(clock, Promise.all(sent))
    expect(partition!.values()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  test('after a lost response the batch is stored once, and reported as a duplicate if the broker does', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const identity = await initProducerId(cluster)
    const sender = new BatchSender(cluster, clock, forever)
    await sender.send('orders', 0, encodedBatch(['a', 'b'], identity, 0))
    fake.faults.dropAfter = 1
    const told = sender.send('orders', 0, encodedBatch(['c'], identity, 2))
    await clock.advanceAndSettle(50)
    expect(partition!.values()).toEqual(['a', 'b', 'c'])
    fake.faults.dropAfter = 0
    expect(await drive(clock, told)).toEqual({ baseOffset: 2, duplicate: false })
    fake.faults.dropAfter = 1
    const untold = sender.send('orders', 0, encodedBatch(['d'], identity, 3))
    await clock.advanceAndSettle(50)
    fake.faults.dropAfter = 0
    expect(await drive(clock, untold)).toEqual({ baseOffset: -1, duplicate: true })
    expect(partition!.values()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('DUPLICATE_SEQUENCE_NUMBER is a success', async () => {
    fake.topics.create('orders', 1)
    fake.handle(produce, ({ topicData }) => ({
      responses: topicData.map(({ name }) => ({
        name,
        partitionResponses: [
          { index: 0, errorCode: ErrorCode.duplicateSequenceNumber, baseOffset: -1 },
        ],
      })),
    }))
    const sender = new BatchSender(cluster, clock, forever)
    expect(await sender.send('orders', 0, encodedBatch(['a']))).toEqual({
      baseOffset: -1,
      duplicate: true,
    })
  })

  test("a refused batch is rejected with the broker's error, and the next batch is sent", async () => {
    const [partition] = fake.topics.create('orders', 1)
    const ask = fake.handlerOf(produce)
    let refuse = true
    fake.handle(produce, (request, context) => {
      if (!refuse) return ask(request, context)
      refuse = false
      const answer = {
        index: 0,
        errorCode: ErrorCode.messageTooLarge,
        baseOffset: -1,
        errorMessage: 'too big for me',
      }
      return { responses: [{ name: 'orders', partitionResponses: [answer] }] }
    })
    const sender = new BatchSender(cluster, clock, forever)
    const first = sender.send('orders', 0, encodedBatch(['big']))
    const second = sender.send('orders', 0, encodedBatch(['small']))
    await expect(first).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    await expect(first).rejects.toThrow('too big for me')
    expect(await second).toMatchObject({ baseOffset: 0 })
    expect(partition!.values()).toEqual(['small'])
    expect(sender.queuedBytes).toBe(0)
  })

  test('delivery fails at its timeout', async () => {
    const sender = new BatchSender(cluster, clock, { ...forever, deliveryTimeoutMs: 5000 })
    const sent = sender.send('nowhere', 0, encodedBatch(['a']))
    const startMs = clock.monotonicMs()
    const failed = await drive(
      clock,
      sent.catch((error) => error),
    )
    expect(failed.code).toBe('DELIVERY_TIMEOUT')
    expect(failed.message).toContain('UNKNOWN_TOPIC_OR_PARTITION')
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(5000)
    expect(clock.monotonicMs() - startMs).toBeLessThan(6500)
  })

  test('without a timeout a batch waits hours for its topic to be created', async () => {
    const sender = new BatchSender(cluster, clock, forever)
    const sent = sender.send('later', 0, encodedBatch(['a']))
    await clock.advanceAndSettle(60_000)
    fake.topics.create('later', 1)
    expect(await drive(clock, sent)).toMatchObject({ baseOffset: 0 })
  })

  test('batches beyond the byte limit are refused, except a single one', async () => {
    fake.topics.create('orders', 1)
    const sender = new BatchSender(cluster, clock, { ...forever, maxQueuedBytes: 10 })
    const first = sender.send('orders', 0, encodedBatch(['a']))
    await expect(sender.send('orders', 0, encodedBatch(['b']))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
    })
    await first
  })

  test('close rejects waiting batches and later sends', async () => {
    const sender = new BatchSender(cluster, clock, forever)
    const sent = sender.send('nowhere', 0, encodedBatch(['a'])).catch((error) => error)
    await clock.advanceAndSettle(1000)
    sender.close()
    expect(await sent).toMatchObject({ code: 'CLIENT_CLOSED' })
    await expect(sender.send('x', 0, encodedBatch(['a']))).rejects.toMatchObject({
      code: 'CLIENT_CLOSED',
    })
    expect(sender.queuedBytes).toBe(0)
    await cluster.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test('a partial batch fails an assertion', async () => {
    const sender = new BatchSender(cluster, clock, forever)
    const half = encodedBatch(['a', 'b']).subarray(0, 70)
    await expect(sender.send('orders', 0, half)).rejects.toThrow('whole batch')
    expect(sender.queuedBytes).toBe(0)
  })
})

describe('BatchSender under faults', () => {
  const faults = fc.record({
    dropBefore: fc.double({ min: 0, max: 0.3, noNaN: true }),
    dropAfter: fc.double({ min: 0, max: 0.3, noNaN: true }),
    moveLeaders: fc.double({ min: 0, max: 0.3, noNaN: true }),
    delayMs: fc.nat({ max: 100 }),
  })

  test('property: every batch is stored once, in order per partition', async () => {
    await fc.assert(
      fc.asyncProperty(
        faults,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 1000 }),
        async (faults, maxInFlight, seed) => {
          const { clock, fake, cluster } = await start(3, seed)
          const partitions = fake.topics.create('orders', 3, 3)
          const identity = await drive(clock, initProducerId(cluster, Infinity))
          Object.assign(fake.faults, faults)
          const sender = new BatchSender(cluster, clock, { ...forever, maxInFlight })
          const expected: string[][] = [[], [], []]
          const random = seededRandom(seed)
          const sends: Promise<{ baseOffset: number }>[] = []
          const firsts: { partition: number; first: string }[] = []
          // With few partitions their queues are long; with many, requests have several batches.
          const used = 1 + random.below(3)
          for (let count = 0; count < 60; count++) {
            const partition = random.below(used)
            const values = expected[partition]!
            const from = values.length
            const added = Array.from(
              { length: 1 + random.below(3) },
              (_, at) => `${partition}:${from + at}`,
            )
            values.push(...added)
            firsts.push({ partition, first: added[0]! })
            sends.push(sender.send('orders', partition, encodedBatch(added, identity, from)))
            if (random.below(4) === 0) await clock.advanceAndSettle(random.below(50))
          }
          const sent = await drive(clock, Promise.all(sends), 50)
          for (const [index, partition] of partitions.entries()) {
            expect(partition.values()).toEqual(expected[index])
          }
          // A reported offset is that of the stored batch.
          for (const [index, { baseOffset }] of sent.entries()) {
            const { partition, first } = firsts[index]!
            if (baseOffset >= 0) expect(expected[partition]![baseOffset]).toBe(first)
          }
          expect(sender.queuedBytes).toBe(0)
          await cluster.close()
          await fake.close()
        },
      ),
      { numRuns: 60 },
    )
  })
})
