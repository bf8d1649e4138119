// The client against Millrace's broker on a real disk, in memory and over TCP: finds assumptions
// that the client and the fake broker share and that are wrong.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Broker, startBroker } from '../../../broker/broker.ts'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { Admin, OffsetSpec } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { GroupConsumer } from '../../../protocol/client/consumer/consumer.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { BatchSender, initProducerId } from '../../../protocol/client/producer/batchSender.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import type { Network } from '../../../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { encodedBatch } from './batches.ts'

const rebalanceCodes = ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']

describe.each<[string, () => Network]>([
  ['memory', () => memoryNetwork()],
  ['TCP', () => tcpNetwork],
])('the client and the broker over %s', (_, makeNetwork) => {
  let directory: string
  let broker: Broker
  let cluster: Cluster

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-client-'))
    const network = makeNetwork()
    const runtime = {
      clock: systemClock,
      random: systemRandom(),
      disk: nodeDisk,
      network,
      scheduler: systemScheduler,
    }
    broker = await startBroker({
      runtime,
      logger: silentLogger,
      metrics: new Metrics(),
      config: brokerConfig({
        'log.dir': directory,
        'group.initial.rebalance.delay.ms': 0,
        'group.min.session.timeout.ms': 1000,
      }),
      listeners: [{ name: 'test', network, address: { host: '127.0.0.1', port: 0 } }],
    })
    const bootstrap = [broker.listeners[0]!.address]
    cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
  })
  afterEach(async () => {
    await cluster.close()
    await broker.close()
    await rm(directory, { recursive: true })
  })

  test('topics are created, described, listed and deleted', async () => {
    const admin = new Admin(cluster)
    await admin.createTopics([{ name: 'orders', partitions: 3 }])
    expect(await admin.listTopics()).toContain('orders')
    expect((await admin.describeTopics(['orders']))[0]?.partitions).toHaveLength(3)
    await admin.deleteTopics(['orders'])
    expect(await admin.listTopics()).not.toContain('orders')
  })

  test('a topic that does not exist is auto-created by its first record', async () => {
    const producer = new Producer(cluster, cluster.runtime)
    expect(await producer.send('new', { value: Buffer.from('a') })).toMatchObject({ offset: 0 })
    await producer.close()
    await new Admin(cluster).deleteTopics(['new'])
    expect(await new Admin(cluster).listTopics()).toEqual([])
  })

  test('whole batches are stored and read unchanged, and a retry is stored once', async () => {
    await new Admin(cluster).createTopics([{ name: 'orders', partitions: 1 }])
    const identity = await initProducerId(cluster)
    const sender = new BatchSender(cluster, systemClock, {
      acks: -1,
      deliveryTimeoutMs: 10_000,
      maxInFlight: 5,
    })
    const batches = Array.from({ length: 20 }, (_, index) =>
      encodedBatch([`${index}a`, `${index}b`], identity, 2 * index),
    )
    const sent = await Promise.all(batches.map((batch) => sender.send('orders', 0, batch)))
    expect(sent.map(({ baseOffset }) => baseOffset)).toEqual(batches.map((_, index) => 2 * index))
    const again = await sender.send('orders', 0, batches.at(-1)!)
    expect(again.duplicate || again.baseOffset === 38).toBe(true)
    const reader = new PartitionReader(cluster, { topic: 'orders', partition: 0 })
    expect([await reader.earliest(), await reader.latest()]).toEqual([0, 40])
    const fetched = await reader.fetch(21)
    const values = [...splitBatches(fetched.batches)]
      .flatMap((batch) => [...records(batch, 1000)])
      .map(({ value }) => value!.toString())
    expect(values.slice(0, 3)).toEqual(['10a', '10b', '11a'])
    expect(values).toHaveLength(20)
    await expect(reader.fetch(41)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    reader.close()
    sender.close()
  })

  test('records from a producer reach a group once, and commits persist', async () => {
    const admin = new Admin(cluster)
    await admin.createTopics([{ name: 'orders', partitions: 2 }])
    const producer = new Producer(cluster, cluster.runtime, { compression: Compression.lz4 })
    const expected = Array.from({ length: 200 }, (_, index) => `value ${index}`)
    const stored = await Promise.all(
      expected.map((text, index) =>
        producer.send('orders', { key: Buffer.from(String(index)), value: Buffer.from(text) }),
      ),
    )
    await producer.close()
    const perPartition = [0, 1].map(
      (at) => stored.filter(({ partition }) => partition === at).length,
    )
    const consumers = [1, 2].map(
      () =>
        new GroupConsumer(cluster, {
          groupId: 'g',
          topics: ['orders'],
          autoOffsetReset: 'earliest',
          heartbeatIntervalMs: 50,
          sessionTimeoutMs: 5000,
          maxWaitMs: 20,
        }),
    )
    const seen = new Set<string>()
    const committed = [0, 0]
    const isDone = () => committed[0]! + committed[1]! === expected.length
    const consume = async (consumer: GroupConsumer) => {
      while (!isDone()) {
        const fetched = await consumer.poll()
        for (const { batches, offset } of fetched) {
          for (const batch of splitBatches(batches)) {
            for (const record of records(batch, 100_000)) {
              if (record.offset >= offset) seen.add(record.value!.toString())
            }
          }
        }
        // A commit is refused when the other consumer has just joined: the uncommitted records are
        // delivered again.
        const refused = await consumer.commit().catch((error) => error)
        if (refused !== undefined) expect(rebalanceCodes).toContain(refused.code)
        else for (const { partition, nextOffset } of fetched) committed[partition] = nextOffset
      }
    }
    await Promise.all(consumers.map(consume))
    expect(seen).toEqual(new Set(expected))
    for (const consumer of consumers) await consumer.close()
    expect([...(await admin.listOffsets('orders', OffsetSpec.latest)).values()]).toEqual(
      perPartition,
    )
    const offsets = (await admin.committedOffsets('g')).get('orders')
    expect([0, 1].map((partition) => offsets?.get(partition))).toEqual(perPartition)
  })
})
