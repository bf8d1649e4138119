// A job over a topic with transactional producers: only committed records count, and the job waits
// for the end of an open transaction.

import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { counted, JobBroker } from './jobBroker.ts'

const words = join(import.meta.dirname, 'modules', 'words.ts')
let broker: JobBroker
let kafka: Kafka
const closing: (() => Promise<void>)[] = []

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
  kafka = new Kafka({ clientId: 'test', brokers: [broker.address], logLevel: logLevel.NOTHING })
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await broker.stop()
})

/** Begins a transaction with these words; the caller ends the transaction. */
async function transaction(transactionalId: string, ...values: string[]) {
  const producer = kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
  const begun = await producer.transaction()
  await begun.send({ topic: 'words', messages: values.map((value) => ({ value })) })
  return begun
}

test('aborted and open transactions do not count, and markers are not records', async () => {
  await (await transaction('one', 'aborted', 'aborted')).abort()
  await (await transaction('two', 'committed')).commit()
  const open = await transaction('three', 'open')
  const job = await broker.submit(words)
  const status = await counted(job, 1)
  expect(status.views[0]!.rows).toEqual([['committed', 1]])
  expect(status).toMatchObject({ recordsTotal: 1, lagRecords: 0 })

  await broker.produce(['later'])
  await open.commit()
  const after = await counted(job, 3)
  expect(after.views[0]!.rows).toEqual([
    ['committed', 1],
    ['later', 1],
    ['open', 1],
  ])
  expect(after.recordsTotal).toBe(3)
}, 60_000)

test('a job with read_uncommitted reads uncommitted records', async () => {
  await (await transaction('one', 'aborted')).abort()
  const open = await transaction('two', 'open')
  const job = await broker.submit(words, { isolation: 'uncommitted' })
  const status = await counted(job, 2)
  expect(status.views[0]!.rows).toEqual([
    ['aborted', 1],
    ['open', 1],
  ])
  expect(status.recordsTotal).toBe(2)
  await open.abort()
}, 60_000)

test('a job that read past the last stable offset waits for it when switched to read_committed', async () => {
  const open = await transaction('one', 'open', 'open')
  const first = await broker.submit(words, { isolation: 'uncommitted' })
  await counted(first, 2)
  await first.stop()
  const second = await broker.submit(words)
  await broker.produce(['later'])
  await open.commit()
  const { views, recordsTotal } = await counted(second, 3)
  expect(views[0]!.rows).toEqual([
    ['later', 1],
    ['open', 2],
  ])
  expect(recordsTotal).toBe(3)
}, 60_000)

test('the count of records continues after a restart', async () => {
  await (await transaction('one', 'a', 'b')).commit()
  const first = await broker.submit(words)
  await counted(first, 2)
  await first.stop()
  await (await transaction('two', 'c')).abort()
  await broker.produce(['d'])
  const second = await broker.submit(words)
  expect((await counted(second, 3)).recordsTotal).toBe(3)
}, 60_000)
