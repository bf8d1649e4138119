// Records of one client are read by the others, with all codecs that both support.

import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasTool } from '../tools.ts'
import { eventually } from './eventually.ts'
import { kcat } from './kcat.ts'
import { TestBroker } from './testBroker.ts'

const values = Array.from({ length: 300 }, (_, index) => `line ${index} of a log`)

describe.runIf(hasTool('kcat'))('a record of kcat', () => {
  let broker: TestBroker

  beforeAll(async () => {
    broker = await TestBroker.start()
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const args = ['-b', broker.address, '-P', '-t', `from-kcat-${codec}`, '-z', codec]
      await kcat(args, values.join('\n'))
    }
  })

  afterAll(() => broker?.stop())

  // kafkajs contains no codec except gzip.
  for (const codec of ['none', 'gzip']) {
    it(`is read by kafkajs (${codec})`, async () => {
      const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
      const consumer = kafka.consumer({ groupId: `kafkajs-${codec}`, maxWaitTimeInMs: 100 })
      const seen: string[] = []
      try {
        await consumer.connect()
        await consumer.subscribe({ topic: `from-kcat-${codec}`, fromBeginning: true })
        await consumer.run({
          eachMessage: async ({ message }) => void seen.push(message.value!.toString()),
        })
        await eventually('all lines', () => seen.length >= values.length)
      } finally {
        await consumer.disconnect()
      }
      expect(seen).toEqual(values)
    })
  }

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    it(`is read by @platformatic/kafka (${codec})`, async () => {
      const consumer = new Consumer({
        clientId: 'cross',
        groupId: `platformatic-${codec}`,
        bootstrapBrokers: [broker.address],
        deserializers: stringDeserializers,
      })
      const seen: string[] = []
      try {
        const topics = [`from-kcat-${codec}`]
        const stream = await consumer.consume({ topics, mode: 'earliest', maxWaitTime: 100 })
        stream.on('data', (message) => seen.push(message.value!))
        await eventually('all lines', () => seen.length >= values.length)
        await stream.close()
      } finally {
        await consumer.close(true)
      }
      expect(seen).toEqual(values)
    })
  }

  it('records of kafkajs are read by kcat', async () => {
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    try {
      const messages = values.map((value) => ({ value }))
      await producer.send({ topic: 'from-kafkajs', messages })
    } finally {
      await producer.disconnect()
    }
    const args = ['-b', broker.address, '-C', '-t', 'from-kafkajs', '-o', 'beginning', '-e', '-q']
    expect((await kcat(args)).trimEnd().split('\n')).toEqual(values)
  })
})
