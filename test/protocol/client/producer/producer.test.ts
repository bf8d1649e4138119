import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { partitionForKey } from '../../../../protocol/client/producer/partitioner.ts'
import { Producer, type ProducerOptions } from '../../../../protocol/client/producer/producer.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { drive } from '../drive.ts'
import { FakeCluster } from '../fakeBroker.ts'

async function start(seed = 1) {
  const clock = new ManualClock()
  const network = memoryNetwork()
  const random = seededRandom(seed)
  const fake = await FakeCluster.start(network, clock, { brokers: 2, random })
  const runtime = { clock, network, random: seededRandom(seed + 1), scheduler: systemScheduler }
  const cluster = new Cluster(runtime, { bootstrap: [...fake.addresses], clientId: 'test' })
  const producer = (options: ProducerOptions = {}) => new Producer(cluster, runtime, options)
  return { clock, fake, cluster, producer }
}

const value = (text: string) => ({ value: Buffer.from(text) })

describe('Producer', () => {
  let clock: ManualClock
  let fake: FakeCluster
  let cluster: Cluster
  let make: (options?: ProducerOptions) => Producer

  beforeEach(async () => {
    ;({ clock, fake, cluster, producer: make } = await start())
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  test('records are batched with keys, headers and timestamps, and resolve with their positions', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make()
    const headers = [{ key: 'h', value: Buffer.from('v') }]
    const sent = [
      producer.send('orders', { key: Buffer.from('k'), value: null, headers, timestampMs: 77 }),
      producer.send('orders', value('second')),
    ]
    expect(await drive(clock, Promise.all(sent), 1)).toEqual([
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ])
    expect(partition!.batches).toHaveLength(1)
    const [first] = [...records(partition!.batches[0]!, 1000)]
    expect(first).toMatchObject({ key: Buffer.from('k'), value: null, timestamp: 77 })
    expect(first!.headers).toEqual(headers)
    expect(partition!.batches[0]!.producerId).toBeGreaterThanOrEqual(1000)
  })

  test('a batch waits for lingerMs and no longer; a full one does not wait', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make({ lingerMs: 100, batchBytes: 1000 })
    await drive(clock, producer.send('orders', value('warm')), 1)
    const sent = producer.send('orders', value('slow'))
    await clock.advanceAndSettle(99)
    expect(partition!.values()).toEqual(['warm'])
    await clock.advanceAndSettle(1)
    await sent
    const full = producer.send('orders', value('x'.repeat(1000)))
    await clock.advanceAndSettle(0)
    await full
  })

  test("keyed records go to the partitions of Kafka's Java client, others are spread", async () => {
    const partitions = fake.topics.create('orders', 5, 2)
    const producer = make({ lingerMs: 0, batchBytes: 500 })
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    const sent = keys.map((key) =>
      producer.send('orders', { key: Buffer.from(key), ...value('v') }),
    )
    const places = await drive(clock, Promise.all(sent))
    expect(places.map(({ partition }) => partition)).toEqual(
      keys.map((key) => partitionForKey(Buffer.from(key), 5)),
    )
    for (let count = 0; count < 100; count++) void producer.send('orders', value('no key at all'))
    await drive(clock, producer.flush())
    expect(partitions.every(({ nextOffset }) => nextOffset > 0)).toBe(true)
    expect(
      await drive(clock, producer.send('orders', { ...value('v'), partition: 3 })),
    ).toMatchObject({
      partition: 3,
    })
    await expect(producer.send('orders', { ...value('v'), partition: 9 })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })

  test('flush does not wait for lingerMs, and covers earlier sends', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make({ lingerMs: 1_000_000 })
    for (let count = 0; count < 10; count++) void producer.send('orders', value(String(count)))
    await producer.flush()
    expect(partition!.values()).toHaveLength(10)
    expect(producer.bufferedBytes).toBe(0)
  })

  test('flushes without records between them share one place in the queue', async () => {
    fake.topics.create('orders', 1)
    const producer = make({ lingerMs: 1_000_000 })
    // The number of partitions is not known yet, so that records and flushes wait.
    void producer.send('orders', value('before'))
    const flushes = [producer.flush(), producer.flush()]
    void producer.send('orders', value('between'))
    const later = producer.flush()
    expect(flushes[0]).toBe(flushes[1])
    expect(later).not.toBe(flushes[0])
    await drive(clock, Promise.all([...flushes, later]), 1)
    expect(producer.bufferedBytes).toBe(0)
  })

  test('close flushes, then refuses records', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make({ lingerMs: 1_000_000, compression: Compression.gzip })
    const sent = producer.send('orders', value('last'))
    await producer.close()
    expect(await sent).toMatchObject({ offset: 0 })
    expect(partition!.values()).toEqual(['last'])
    await expect(producer.send('orders', value('x'))).rejects.toMatchObject({
      code: 'CLIENT_CLOSED',
    })
  })

  test('sends wait in order while memory is full; no record is lost or reordered', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make({ maxBufferedBytes: 1000, batchBytes: 100_000, lingerMs: 1_000_000 })
    let most = 0
    const sent = Array.from({ length: 100 }, async (_, index) => {
      await producer.send('orders', value(String(index)))
      most = Math.max(most, producer.bufferedBytes)
    })
    await drive(clock, producer.flush())
    await Promise.all(sent)
    expect(most).toBeLessThanOrEqual(1000)
    expect(partition!.values()).toEqual(Array.from({ length: 100 }, (_, index) => String(index)))
    await expect(producer.send('orders', value('x'.repeat(1000)))).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
  })

  test('a refused batch fails its own records; the others are sent in the next epoch', async () => {
    const [partition] = fake.topics.create('orders', 1)
    const producer = make({ lingerMs: 0 })
    await drive(clock, producer.send('orders', value('first')))
    const ask = fake.handlerOf(produce)
    let refuse = true
    fake.handle(produce, async (request, context) => {
      if (!refuse) {
        await new Promise<void>((resolve) => clock.setTimer(100, resolve))
        return await ask(request, context)
      }
      refuse = false
      const answer = { index: 0, errorCode: ErrorCode.messageTooLarge, baseOffset: -1 }
      return { responses: [{ name: 'orders', partitionResponses: [answer] }] }
    })
    const results: Promise<unknown>[] = []
    for (const text of ['bad', 'good', 'better']) {
      results.push(producer.send('orders', value(text)))
      // Each record gets its own batch, and all batches are in flight together.
      await Promise.resolve()
    }
    // Sent while the other batches are in flight with sequence numbers that the broker will refuse.
    const late = results[0]!.catch(() => producer.send('orders', value('late')))
    const settled = await drive(clock, Promise.allSettled(results))
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    await drive(clock, late)
    expect(partition!.values()).toEqual(['first', 'good', 'better', 'late'])
    // A request of the epoch before that is still on its way is refused then.
    const identities = partition!.batches.map(({ producerId, producerEpoch }) => {
      return `${producerId === partition!.batches[0]!.producerId} ${producerEpoch}`
    })
    expect(identities).toEqual(['true 0', 'true 1', 'true 1', 'true 1'])
    expect(fake.asked.get('InitProducerId')).toBe(1)
  })

  test('a record that begins the next epoch is sent once', async () => {
    const [partition] = fake.topics.create('orders', 1)
    // Each record is a batch, which is complete as soon as it is added.
    const producer = make({ batchBytes: 1 })
    await drive(clock, producer.send('orders', value('first')))
    const ask = fake.handlerOf(produce)
    fake.handle(produce, async () => {
      fake.handle(produce, ask)
      const answer = { index: 0, errorCode: ErrorCode.messageTooLarge, baseOffset: -1 }
      return { responses: [{ name: 'orders', partitionResponses: [answer] }] }
    })
    await expect(drive(clock, producer.send('orders', value('bad')))).rejects.toThrow()
    await drive(clock, producer.send('orders', value('next')))
    expect(partition!.values()).toEqual(['first', 'next'])
  })

  test('a topic that is never created fails its records, and delays others up to the timeout', async () => {
    fake.topics.create('orders', 1)
    const producer = make({ deliveryTimeoutMs: 3000 })
    const lost = producer.send('nowhere', value('x')).catch((error) => error)
    const sent = producer.send('orders', value('y'))
    expect((await drive(clock, lost)).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(await drive(clock, sent)).toMatchObject({ offset: 0 })
  })

  test('without idempotence no producer id is requested', async () => {
    const [partition] = fake.topics.create('orders', 1)
    await drive(clock, make({ acks: 1 }).send('orders', value('x')))
    expect(fake.asked.get('InitProducerId')).toBeUndefined()
    expect(partition!.batches[0]!.producerId).toBe(-1)
  })

  test('property: under faults every record is stored once, in order per key', async () => {
    const chance = fc.double({ min: 0, max: 0.3, noNaN: true })
    const faults = fc.record({
      dropBefore: chance,
      dropAfter: chance,
      moveLeaders: chance,
      delayMs: fc.nat({ max: 50 }),
    })
    await fc.assert(
      fc.asyncProperty(faults, fc.integer({ min: 1, max: 1000 }), async (faults, seed) => {
        const { clock, fake, cluster, producer: make } = await start(seed)
        const partitions = fake.topics.create('orders', 2, 2)
        const producer = make({
          deliveryTimeoutMs: Infinity,
          batchBytes: 300,
          maxBufferedBytes: 4000,
        })
        Object.assign(fake.faults, faults)
        const random = seededRandom(seed)
        const expected: string[][] = [[], []]
        const sends: Promise<unknown>[] = []
        for (let count = 0; count < 100; count++) {
          const partition = random.below(2)
          expected[partition]!.push(`${partition}:${count}`)
          sends.push(producer.send('orders', { ...value(`${partition}:${count}`), partition }))
          if (random.below(5) === 0) await clock.advanceAndSettle(random.below(10))
        }
        await drive(clock, Promise.all(sends), 50)
        expect(partitions.map((partition) => partition.values())).toEqual(expected)
        expect(producer.bufferedBytes).toBe(0)
        await cluster.close()
        await fake.close()
      }),
      { numRuns: 30 },
    )
  })
})
