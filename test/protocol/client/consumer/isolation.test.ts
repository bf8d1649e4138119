// Readers and consumers of both isolation levels on a partition of Millrace's broker, with
// interleaved batches of transactional and other producers: some transactions are committed, some
// aborted, one stays open.

import { Kafka, logLevel, type Transaction } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Admin, OffsetSpec } from '../../../../protocol/client/admin.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { GroupConsumer } from '../../../../protocol/client/consumer/consumer.ts'
import type { Isolation } from '../../../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../../protocol/runtime/nodeRuntime.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { eventually } from '../../../interop/eventually.ts'
import { TestBroker } from '../../../interop/testBroker.ts'

const topic = 'mixed'
const random = seededRandom(8)
const all: string[] = []
const committed: string[] = []
let broker: TestBroker
let cluster: Cluster
let open: Transaction
let firstUnstable = -1
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  broker = await TestBroker.start()
  const runtime = nodeRuntime(tcpNetwork)
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
  await write(new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }))
  // An end of a transaction is acknowledged before its markers are in the log.
  const reader = new PartitionReader(cluster, { topic, partition: 0, isolation: 'committed' })
  await eventually('markers', async () => (await reader.latest()) === firstUnstable)
  reader.close()
}, 60_000)

afterAll(async () => {
  await open?.abort()
  for (const close of closing) await close()
  await cluster?.close()
  await broker?.stop()
})

async function write(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  await admin.disconnect()
  const plain = kafka.producer()
  const writers = ['a', 'b', 'c'].map((transactionalId) =>
    kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 }),
  )
  for (const producer of [plain, ...writers]) {
    await producer.connect()
    closing.push(() => producer.disconnect())
  }
  /** The fate of each value; a value of a transaction gets its fate at the end of it. */
  const fates = new Map<string, 'committed' | 'aborted' | 'open'>()
  const running = new Map<number, { transaction: Transaction; values: string[] }>()
  const nextValues = () =>
    Array.from({ length: 1 + random.below(3) }, () => {
      const value = `value ${all.length}`
      all.push(value)
      return value
    })
  for (let step = 0; step < 80; step++) {
    const at = random.below(4)
    const values = nextValues()
    const messages = values.map((value) => ({ value }))
    if (at === 3) {
      await plain.send({ topic, messages })
      for (const value of values) fates.set(value, 'committed')
      continue
    }
    let begun = running.get(at)
    if (!begun) {
      begun = { transaction: await writers[at]!.transaction(), values: [] }
      running.set(at, begun)
    }
    await begun.transaction.send({ topic, messages })
    begun.values.push(...values)
    if (random.below(3) > 0) continue
    const isCommit = random.below(2) === 0
    await (isCommit ? begun.transaction.commit() : begun.transaction.abort())
    for (const value of begun.values) fates.set(value, isCommit ? 'committed' : 'aborted')
    running.delete(at)
  }
  for (const [at, { transaction, values }] of running) {
    await transaction.commit()
    for (const value of values) fates.set(value, 'committed')
    running.delete(at)
  }
  committed.push(...all.filter((value) => fates.get(value) === 'committed'))
  // All records after the first one of an open transaction are unstable, also those of other
  // producers.
  open = await writers[0]!.transaction()
  const last = nextValues()
  const [sent] = await open.send({ topic, messages: last.map((value) => ({ value })) })
  firstUnstable = Number(sent!.baseOffset)
  await plain.send({ topic, messages: nextValues().map((value) => ({ value })) })
}

function valuesOf(batches: Buffer, offset: number): string[] {
  return [...splitBatches(batches)]
    .flatMap((batch) => [...records(batch, 1 << 20)])
    .filter((record) => record.offset >= offset)
    .map(({ value }) => value!.toString())
}

async function readAll(isolation: Isolation, from: number, maxBytes: number): Promise<string[]> {
  const options = { topic, partition: 0, isolation, maxBytes, maxWaitMs: 0 }
  const reader = new PartitionReader(cluster, options)
  const end = await reader.latest()
  const values: string[] = []
  for (let offset = from; offset < end; ) {
    const { batches, nextOffset } = await reader.fetch(offset)
    values.push(...valuesOf(batches, offset))
    expect(nextOffset).toBeGreaterThan(offset)
    offset = nextOffset
  }
  reader.close()
  return values
}

test('each isolation level sees its records, from any offset and with any response size', async () => {
  expect(committed.length).toBeGreaterThan(40)
  expect(all.length - committed.length).toBeGreaterThan(40)
  for (const maxBytes of [1, 300, 1 << 20]) {
    expect(await readAll('uncommitted', 0, maxBytes)).toEqual(all)
    expect(await readAll('committed', 0, maxBytes)).toEqual(committed)
  }
  const reader = new PartitionReader(cluster, { topic, partition: 0, isolation: 'committed' })
  const end = await reader.latest()
  reader.close()
  const admin = new Admin(cluster)
  const { latest } = OffsetSpec
  expect((await admin.listOffsets(topic, latest, 'committed')).get(0)).toBe(end)
  expect((await admin.listOffsets(topic, latest)).get(0)).toBeGreaterThan(end)
  for (let from = 0; from <= end; from += 7) {
    const seen = await readAll('committed', from, 500)
    expect(seen).toEqual(committed.slice(committed.length - seen.length))
  }
}, 60_000)

test.each(['committed', 'uncommitted'] as const)(
  'a group at %s sees the same',
  async (isolation) => {
    const expected = isolation === 'committed' ? committed : all
    const consumer = new GroupConsumer(cluster, {
      ...{ groupId: isolation, topics: [topic], autoOffsetReset: 'earliest', isolation },
      ...{ maxBytes: 400, maxWaitMs: 50 },
    })
    const seen: string[] = []
    let nextOffset = 0
    while (seen.length < expected.length) {
      for (const fetched of await consumer.poll()) {
        seen.push(...valuesOf(fetched.batches, fetched.offset))
        nextOffset = fetched.nextOffset
      }
    }
    expect(seen).toEqual(expected)
    await consumer.commit()
    expect(nextOffset).toBeGreaterThan(0)
    await consumer.close()
  },
  60_000,
)
