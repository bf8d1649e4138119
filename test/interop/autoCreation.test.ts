// Topics that are created on demand: the first answer is that the topic does not exist, and every
// client must retry.

import { spawn } from 'node:child_process'
import { ProduceAcks } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianPython, hasTool } from '../tools.ts'
import { kcat } from './kcat.ts'
import { PlatformaticClients } from './platformaticClients.ts'
import { TestBroker } from './testBroker.ts'

describe('a topic is created by the first record of', () => {
  let broker: TestBroker

  beforeAll(async () => {
    broker = await TestBroker.start()
  })

  afterAll(() => broker?.stop())

  const recordsIn = (topic: string) =>
    broker.broker.topics().find(({ name }) => name === topic)?.messagesInTotal

  it('kafkajs', async () => {
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'by-kafkajs', messages: [{ value: 'a' }] })
    await producer.disconnect()
    expect(recordsIn('by-kafkajs')).toBe(1)
  })

  it('@platformatic/kafka', async () => {
    const clients = new PlatformaticClients(() => broker.address)
    try {
      await clients.producer({ autocreateTopics: true }).send({
        messages: [{ topic: 'by-platformatic', key: 'a', value: 'a' }],
        acks: ProduceAcks.ALL,
      })
    } finally {
      await clients.close()
    }
    expect(recordsIn('by-platformatic')).toBe(1)
  })

  it.runIf(hasTool('kcat'))('kcat', async () => {
    await kcat(['-b', broker.address, '-P', '-t', 'by-kcat'], 'a')
    expect(recordsIn('by-kcat')).toBe(1)
  })

  it.runIf(hasTool('python3-kafka'))('kafka-python', async () => {
    const program = [
      'import sys',
      'from kafka import KafkaProducer',
      'producer = KafkaProducer(bootstrap_servers=sys.argv[1])',
      'print(producer.send("by-python", b"a").get(20).offset)',
      'producer.close()',
    ]
    expect(await python(program.join('\n'))).toBe('0\n')
    expect(recordsIn('by-python')).toBe(1)
  })

  function python(program: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(debianPython, ['-c', program, broker.address], { timeout: 30_000 })
      let [output, complaints] = ['', '']
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk
      })
      child.stderr.on('data', (chunk: Buffer) => {
        complaints += chunk
      })
      child.on('error', reject)
      child.on('close', (code) =>
        code === 0
          ? resolve(output)
          : reject(new Error(`python ended with ${code}: ${complaints}`)),
      )
    })
  }
})
