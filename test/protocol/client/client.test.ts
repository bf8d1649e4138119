// The entries of the package for programs, `millrace/client` and `millrace/broker`, as a user calls
// them.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BrokerError, type EmbeddedBroker, startBroker } from '../../../broker/embeddedBroker.ts'
import { type Client, type Consumer, connect } from '../../../protocol/client/client.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'

let directory: string
let broker: EmbeddedBroker
let client: Client
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-client-'))
  broker = await startBroker({
    directory: join(directory, 'data'),
    port: 0,
    config: { 'group.initial.rebalance.delay.ms': 0, 'num.partitions': 2 },
    logLevel: 'error',
  })
  client = connect(broker.bootstrap)
})
afterAll(async () => {
  await client?.close()
  await broker?.close()
  await rm(directory, { recursive: true, force: true })
})

test('strings, bytes, keys and headers are consumed as they were produced, with every codec', async () => {
  await using producer = client.producer({ compression: 'gzip', lingerMs: 0 })
  const headers = { trace: 'a1', empty: null }
  const stored = await producer.send('sent', { key: 'user', value: 'täxt', headers })
  await producer.send('sent', { value: new Uint8Array([0, 255]), partition: stored.partition })
  await producer.send('sent', { key: 'user', value: null, timestampMs: 5 })
  const consumer = consumerOf('sent', 'sent')
  const [first, second, third] = await take(consumer, 3)
  expect(first).toMatchObject({ topic: 'sent', partition: stored.partition, offset: stored.offset })
  expect([String(first!.key), String(first!.value)]).toEqual(['user', 'täxt'])
  expect(first!.headers).toEqual([
    { key: 'trace', value: Buffer.from('a1') },
    { key: 'empty', value: null },
  ])
  expect(second).toMatchObject({ key: null, value: Buffer.from([0, 255]) })
  expect(third).toMatchObject({ value: null, timestampMs: 5 })
  await consumer.close()
})

test('a second loop continues where the first one ended', async () => {
  await send('again', ['a', 'b', 'c'])
  const consumer = consumerOf('again', 'again')
  const texts = async (count: number) =>
    (await take(consumer, count)).map(({ value }) => `${value}`)
  expect(await texts(1)).toEqual(['a'])
  expect(await texts(2)).toEqual(['b', 'c'])
  await consumer.close()
})

test('records after the last commit are delivered again', async () => {
  await send('once', ['a', 'b', 'c'])
  const first = consumerOf('once', 'group')
  await take(first, 2)
  await first.close()
  const second = consumerOf('once', 'group')
  expect(String((await take(second, 1))[0]!.value)).toBe('a')
  await take(second, 1)
  await second.commit()
  await second.close()
  const third = consumerOf('once', 'group')
  expect(String((await take(third, 1))[0]!.value)).toBe('c')
  await third.close()
})

test('a second concurrent loop over one consumer is refused', async () => {
  await send('two', ['a', 'b'])
  const consumer = consumerOf('two', 'two')
  for await (const _ of consumer) {
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'CONSUMER_BUSY' })
    break
  }
  await consumer.close()
})

test('closing the client ends the loops of its consumers without an error', async () => {
  const other = connect(broker.bootstrap)
  await send('quiet', ['a'])
  const consumer = other.consumer({
    groupId: 'quiet',
    topics: ['quiet'],
    autoOffsetReset: 'earliest',
    maxWaitMs: 60_000,
  })
  const seen: string[] = []
  for await (const { value } of consumer) {
    seen.push(String(value))
    // Closes the client when the loop waits for the next record.
    systemScheduler.later(() => void other.close())
  }
  expect(seen).toEqual(['a'])
  await other.close()
})

test('an invalid bootstrap address and an unknown broker option are refused with a remedy', async () => {
  expect(() => connect('localhost')).toThrow(
    "invalid broker address 'localhost': expected host:port",
  )
  const config = { 'num.partitons': 2 } as object
  const wrong = startBroker({ directory: join(directory, 'wrong'), port: 0, config })
  await expect(wrong).rejects.toThrow(
    'config: unknown broker option num.partitons: did you mean num.partitions?',
  )
  await expect(wrong).rejects.toBeInstanceOf(BrokerError)
  const many = startBroker({ directory, port: 0, config: { 'num.partitions': 'many' } })
  await expect(many).rejects.toThrow(/config:1: num\.partitions is "many", but must be /)
})

test('a restarted broker serves the data of its predecessor', async () => {
  const options = { directory: join(directory, 'kept'), port: 0, logLevel: 'error' } as const
  const first = await startBroker(options)
  await using writer = connect(first.bootstrap)
  await writer.admin.createTopics([{ name: 'kept', partitions: 1 }])
  await expect(startBroker(options)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
  await writer.close()
  await first.close()
  await using second = await startBroker(options)
  await using reader = connect(second.bootstrap)
  expect(await reader.admin.listTopics()).toEqual(['kept'])
  expect(second.clusterId).toBe(first.clusterId)
  await reader.close()
})

async function send(topic: string, values: readonly string[]): Promise<void> {
  await using producer = client.producer({ lingerMs: 0 })
  for (const value of values) await producer.send(topic, { value, partition: 0 })
}

function consumerOf(topic: string, groupId: string): Consumer {
  return client.consumer({ groupId, topics: [topic], autoOffsetReset: 'earliest' })
}

async function take(consumer: Consumer, count: number) {
  const taken = []
  for await (const record of consumer) {
    taken.push(record)
    if (taken.length === count) break
  }
  return taken
}
