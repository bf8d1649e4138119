// Transactions of clients from npm: kafkajs (version 0 of the protocol) and @platformatic/kafka.
// Committed records are visible and aborted ones are not; offsets are committed with the records; a
// producer that was replaced is fenced, and the transaction of a silent one is aborted.

import {
  Consumer as PlatformaticConsumer,
  Producer as PlatformaticProducer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { Kafka, type Producer as KafkajsProducer, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { TestBroker } from './testBroker.ts'

describe('transactions', () => {
  let broker: TestBroker
  let kafka: Kafka
  const closing: (() => Promise<void>)[] = []

  beforeAll(async () => {
    broker = await TestBroker.start({
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': 50,
    })
    kafka = new Kafka({
      clientId: 'interop',
      brokers: [broker.address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 30, maxRetryTime: 500, retries: 20 },
    })
  })

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  afterAll(() => broker?.stop())

  async function createTopic(topic: string, numPartitions = 1): Promise<void> {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
    await admin.disconnect()
  }

  async function read(topic: string, readUncommitted: boolean): Promise<string[]> {
    const groupId = `${topic}-${readUncommitted}`
    const consumer = kafka.consumer({ groupId, readUncommitted, maxWaitTimeInMs: 50 })
    const values: string[] = []
    await consumer.connect()
    closing.push(() => consumer.disconnect())
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value!.toString())
      },
    })
    return values
  }

  async function committedOffset(groupId: string, topic: string): Promise<string> {
    const admin = kafka.admin()
    await admin.connect()
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    await admin.disconnect()
    return found!.partitions[0]!.offset
  }

  describe('kafkajs', () => {
    async function producer(
      transactionalId: string,
      transactionTimeout = 30_000,
    ): Promise<KafkajsProducer> {
      const made = kafka.producer({
        ...{ transactionalId, transactionTimeout, idempotent: true, maxInFlightRequests: 1 },
      })
      await made.connect()
      closing.push(() => made.disconnect())
      return made
    }

    it('commits and aborts', async () => {
      await createTopic('ends', 3)
      const sender = await producer('ends-tx')
      for (const [number, commits] of [true, false, true, false].entries()) {
        const transaction = await sender.transaction()
        for (const partition of [0, 1, 2]) {
          const messages = [{ partition, value: `${number}-${partition}` }]
          await transaction.send({ topic: 'ends', messages })
        }
        await (commits ? transaction.commit() : transaction.abort())
      }
      const committed = await read('ends', false)
      const all = await read('ends', true)
      await eventually('all records', () => all.length === 12 && committed.length >= 6)
      expect(committed.toSorted()).toEqual(['0-0', '0-1', '0-2', '2-0', '2-1', '2-2'])
    })

    it('reads, processes and writes exactly once', async () => {
      await createTopic('from')
      await createTopic('into')
      const sender = await producer('exactly-tx')
      for (const [offset, commits] of [
        ['3', false],
        ['5', true],
      ] as const) {
        const transaction = await sender.transaction()
        await transaction.send({ topic: 'into', messages: [{ value: `up to ${offset}` }] })
        await transaction.sendOffsets({
          consumerGroupId: 'exactly',
          topics: [{ topic: 'from', partitions: [{ partition: 0, offset }] }],
        })
        expect(await committedOffset('exactly', 'from')).toBe('-1')
        await (commits ? transaction.commit() : transaction.abort())
      }
      await eventually('the offset', async () => (await committedOffset('exactly', 'from')) === '5')
      const committed = await read('into', false)
      await eventually('the record', () => committed.length > 0)
      expect(committed).toEqual(['up to 5'])
    })

    it('fences a zombie', async () => {
      await createTopic('fenced')
      const zombie = await producer('fenced-tx')
      const opened = await zombie.transaction()
      await opened.send({ topic: 'fenced', messages: [{ value: 'zombie' }] })
      const next = await producer('fenced-tx')
      const transaction = await next.transaction()
      await transaction.send({ topic: 'fenced', messages: [{ value: 'next' }] })
      await expect(opened.commit()).rejects.toThrow()
      await transaction.commit()
      const committed = await read('fenced', false)
      await eventually('the record', () => committed.length > 0)
      expect(committed).toEqual(['next'])
    })

    it('aborts a transaction that times out', async () => {
      await createTopic('silent')
      const sender = await producer('silent-tx', 300)
      const transaction = await sender.transaction()
      await transaction.send({ topic: 'silent', messages: [{ value: 'given up' }] })
      const other = await producer('other-tx')
      await other.send({ topic: 'silent', messages: [{ value: 'behind it' }] })
      const committed = await read('silent', false)
      await eventually('the record after the transaction', () => committed.length > 0)
      expect(committed).toEqual(['behind it'])
      await expect(transaction.commit()).rejects.toThrow()
    })
  })

  describe('@platformatic/kafka', () => {
    const options = () => ({
      clientId: 'interop',
      bootstrapBrokers: [broker.address],
      retries: 20,
      retryDelay: 30,
    })

    function producer(transactionalId: string) {
      const made = new PlatformaticProducer({
        ...options(),
        ...{ transactionalId, idempotent: true, serializers: stringSerializers },
      })
      closing.push(() => made.close())
      return made
    }

    it('commits and aborts', async () => {
      await createTopic('modern')
      const sender = producer('modern-tx')
      for (const [value, commits] of [
        ['a', true],
        ['b', false],
        ['c', true],
      ] as const) {
        const transaction = await sender.beginTransaction()
        await transaction.send({ messages: [{ topic: 'modern', value }] })
        await (commits ? transaction.commit() : transaction.abort())
      }
      const committed = await read('modern', false)
      await eventually('both records', () => committed.length === 2)
      expect(committed).toEqual(['a', 'c'])
    })

    it('reads, processes and writes exactly once', async () => {
      await createTopic('modern-from')
      await createTopic('modern-into')
      const sender = producer('modern-exactly-tx')
      const plain = await kafka.producer()
      await plain.connect()
      closing.push(() => plain.disconnect())
      await plain.send({ topic: 'modern-from', messages: [{ value: 'x' }] })
      const consumer = new PlatformaticConsumer({
        ...options(),
        ...{ groupId: 'modern-exactly', deserializers: stringDeserializers },
      })
      const stream = await consumer.consume({
        ...{ topics: ['modern-from'], autocommit: false, maxWaitTime: 50 },
        ...{ mode: 'committed' as const, fallbackMode: 'earliest' as const },
      })
      closing.push(async () => {
        await stream.close()
        await consumer.close(true)
      })
      for await (const message of stream) {
        const transaction = await sender.beginTransaction()
        await transaction.addConsumer(consumer)
        await transaction.send({ messages: [{ topic: 'modern-into', value: `${message.value}!` }] })
        await transaction.addOffset(message)
        expect(await committedOffset('modern-exactly', 'modern-from')).toBe('-1')
        await transaction.commit()
        break
      }
      const offset = () => committedOffset('modern-exactly', 'modern-from')
      await eventually('the offset', async () => (await offset()) === '1')
      const committed = await read('modern-into', false)
      await eventually('the record', () => committed.length > 0)
      expect(committed).toEqual(['x!'])
    })
  })
})
