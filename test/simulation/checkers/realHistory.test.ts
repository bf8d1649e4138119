// Histories of real runs: our client with a broker in memory, and kafkajs with a broker over TCP.
// Both have to be without anomalies, and damage to them has to be found.

import { type Kafka as KafkaClient, Kafka as KafkaConstructor, logLevel } from 'kafkajs'
import { afterEach, describe, expect, test } from 'vitest'
import { startBroker } from '../../../broker/broker.ts'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { GroupConsumer } from '../../../protocol/client/consumer/consumer.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { eventually } from '../../interop/eventually.ts'
import { TestBroker } from '../../interop/testBroker.ts'
import { damaged, damages } from './damage.ts'
import { type History, Recorder } from './history.ts'
import { formatHistory, parseHistory } from './historyFile.ts'
import { checkKafka } from './kafka.ts'
import type { OffsetAndValue, TransactionStep } from './operations.ts'

const options = { delivery: 'idempotent', isolation: 'read_committed' } as const

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** No anomalies; but some after each kind of damage that is named. */
function expectRight(history: History, kinds: readonly string[]): void {
  const result = checkKafka(parseHistory(formatHistory(history)), options)
  expect(result.forbidden.map(({ name, message }) => `${name}: ${message}`)).toEqual([])
  for (const kind of kinds) {
    const damage = damages.find(({ name }) => name === kind)!
    const broken = damaged(history, damage, seededRandom(1))!
    const names = checkKafka(broken, options).forbidden.map(({ name }) => name)
    expect(damage.causes.filter((name) => names.includes(name))).not.toEqual([])
  }
}

/** Reads a topic to its end. */
async function readAll(
  cluster: Cluster,
  recorder: Recorder,
  topic: string,
  partitionCount: number,
): Promise<void> {
  for (let partition = 0; partition < partitionCount; partition++) {
    const place = { topic, partition, maxBytes: 1000, isolation: 'committed' } as const
    const reader = new PartitionReader(cluster, place)
    const name = `${topic}-${partition}`
    const end = await reader.latest()
    for (let position = 0; position < end; ) {
      const pending = recorder.begin('reader', { kind: 'poll', records: {} })
      const fetched = await reader.fetch(position)
      pending.ok({
        kind: 'poll',
        records: { [name]: pairsOf(fetched.batches, position) },
        positions: { [name]: fetched.nextOffset },
      })
      const { highWatermark, lastStableOffset, logStartOffset } = fetched
      const marks = { highWatermark, lastStableOffset, logStartOffset }
      recorder.note('reader', { kind: 'watermarks', partitions: { [name]: marks } })
      position = fetched.nextOffset
    }
    reader.close()
  }
}

function pairsOf(batches: Buffer, from: number): OffsetAndValue[] {
  return [...splitBatches(batches)]
    .flatMap((batch) => [...records(batch, 100_000)])
    .filter(({ offset }) => offset >= from)
    .map(({ offset, value }) => [offset, value!.toString()])
}

describe('our client, with a broker in memory', () => {
  const topic = 'orders'
  const partitionCount = 3
  const sendsOfProducer = 80
  const producerCount = 3

  async function startCluster(): Promise<Cluster> {
    const network = memoryNetwork()
    const random = seededRandom(1)
    const disk = new MemoryDisk()
    const runtime = { clock: systemClock, random, disk, network, scheduler: systemScheduler }
    const broker = await startBroker({
      runtime,
      logger: silentLogger,
      config: brokerConfig({
        'log.dir': '/data',
        'log.dir.reserved.bytes': 64 * 1024,
        'group.initial.rebalance.delay.ms': 0,
        'group.min.session.timeout.ms': 1000,
      }),
      listeners: [{ name: 'MEMORY', network, address: { host: 'broker', port: 9092 } }],
      openMetadataLog: async () => new MemoryMetadataLog(),
    })
    closing.push(() => broker.close())
    const bootstrap = [broker.listeners[0]!.address]
    const cluster = new Cluster(runtime, { bootstrap, clientId: 'history' })
    closing.push(() => cluster.close())
    await new Admin(cluster).createTopics([{ name: topic, partitions: partitionCount }])
    return cluster
  }

  test('producers, a group that rebalances, and a reader see no anomaly', async () => {
    const cluster = await startCluster()
    const recorder = new Recorder(() => systemClock.monotonicMs())
    const committed = new Map<string, number>()
    const isDone = () => {
      const total = [...committed.values()].reduce((sum, offset) => sum + offset, 0)
      return total === producerCount * sendsOfProducer
    }
    recorder.note('test', { kind: 'mark', name: 'liveness' })
    // Stays for a while, so that the group rebalances when it comes and when it goes.
    const guest = eventually('a commit', () => committed.size > 0).then(() =>
      consume(cluster, recorder, 'guest', committed, polls(8)),
    )
    await Promise.all([
      ...Array.from({ length: producerCount }, (_, at) => produce(cluster, recorder, at, guest)),
      ...[0, 1].map((at) => consume(cluster, recorder, `member-${at}`, committed, isDone)),
    ])
    await readAll(cluster, recorder, topic, partitionCount)
    recorder.note('test', { kind: 'mark', name: 'caughtUp' })
    const generations = recorder.history.filter(({ operation }) => operation.kind === 'rebalance')
    expect(generations.length).toBeGreaterThan(3)
    expectRight(recorder.history, ['an acknowledged record dropped', 'a produce not answered'])
  })

  function polls(most: number): () => boolean {
    let count = 0
    return () => ++count > most
  }

  /** Sends the last of its bursts when the guest has left. */
  async function produce(
    cluster: Cluster,
    recorder: Recorder,
    number: number,
    guest: Promise<void>,
  ): Promise<void> {
    const producer = new Producer(cluster, cluster.runtime)
    closing.push(() => producer.close())
    const process = `producer-${number}`
    for (let burst = 0; burst < sendsOfProducer / 10; burst++) {
      if (burst === sendsOfProducer / 10 - 1) await guest
      const sends = Array.from({ length: 10 }, async (_, index) => {
        const value = `${process} ${burst} ${index}`
        const partition = (number + index) % partitionCount
        const send = { kind: 'send', partition: `${topic}-${partition}`, value } as const
        const pending = recorder.begin(process, send)
        const { offset } = await producer.send(topic, { value: Buffer.from(value), partition })
        pending.ok({ ...send, offset })
      })
      await Promise.all(sends)
    }
  }

  async function consume(
    cluster: Cluster,
    recorder: Recorder,
    process: string,
    committed: Map<string, number>,
    isDone: () => boolean,
  ): Promise<void> {
    const group = 'readers'
    const names = () =>
      [...consumer.assignment].flatMap(([name, partitions]) =>
        [...partitions].map((partition) => `${name}-${partition}`),
      )
    let revoked: string[] = []
    const consumer: GroupConsumer = new GroupConsumer(cluster, {
      ...{ groupId: group, topics: [topic], autoOffsetReset: 'earliest', isolation: 'committed' },
      ...{ heartbeatIntervalMs: 20, sessionTimeoutMs: 5000, maxWaitMs: 10, maxBytes: 400 },
      onRevoked: () => {
        revoked = names()
      },
      onAssigned: () => {
        const { generationId: generation } = consumer
        recorder.note(process, { kind: 'rebalance', group, generation, revoked, assigned: names() })
        revoked = []
      },
    })
    recorder.note(process, { kind: 'subscribe', group, topics: [topic] })
    while (!isDone()) {
      const pending = recorder.begin(process, { kind: 'poll', records: {} })
      const fetched = await consumer.poll()
      const positions = fetched.map(
        ({ partition, nextOffset }) => [`${topic}-${partition}`, nextOffset] as const,
      )
      pending.ok({
        kind: 'poll',
        records: Object.fromEntries(
          fetched.map(({ partition, batches, offset }) => [
            `${topic}-${partition}`,
            pairsOf(batches, offset),
          ]),
        ),
        positions: Object.fromEntries(positions),
      })
      if (fetched.length > 0) await commit(consumer, recorder, process, positions, committed)
    }
    await consumer.close()
  }

  async function commit(
    consumer: GroupConsumer,
    recorder: Recorder,
    process: string,
    positions: readonly (readonly [string, number])[],
    committed: Map<string, number>,
  ): Promise<void> {
    const offsets = Object.fromEntries(positions)
    const { generationId: generation } = consumer
    const pending = recorder.begin(process, {
      kind: 'commit',
      group: 'readers',
      generation,
      offsets,
    })
    const byPartition = positions.map(
      ([name, offset]) => [Number(name.split('-')[1]), offset] as const,
    )
    try {
      await consumer.commit(new Map([[topic, new Map(byPartition)]]))
      pending.ok()
      for (const [name, offset] of positions) committed.set(name, offset)
    } catch (error) {
      pending.fail((error as Error).message)
    }
  }
})

describe('kafkajs, with a broker over TCP', () => {
  const transactionCount = 12

  test('transactions that commit and abort, and a restart, show no anomaly', async () => {
    const broker = await TestBroker.start()
    closing.push(() => broker.stop())
    const kafka = new KafkaConstructor({
      clientId: 'history',
      brokers: [broker.address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 20, maxRetryTime: 500, retries: 30 },
    })
    const recorder = new Recorder(() => systemClock.monotonicMs())
    const admin = kafka.admin()
    await admin.connect()
    closing.push(() => admin.disconnect())
    await admin.createTopics({
      topics: ['paid', 'sent'].map((topic) => ({ topic, numPartitions: 4 })),
    })
    const seen = new Set<string>()
    await consumeAll(kafka, recorder, seen)
    const transactIn = (number: number) => transact(kafka, recorder, number)
    const before = await Promise.all([0, 1].map(transactIn))
    await broker.restart()
    const after = await Promise.all([2, 3].map(transactIn))
    const committed = [...before, ...after].flat()
    await eventually('the values of sent', () => committed.every((value) => seen.has(value)))
    await readPaid(broker, recorder)
    recorder.note('test', { kind: 'mark', name: 'caughtUp' })
    expect(committed.length).toBeGreaterThan(20)
    expectRight(recorder.history, [
      'a transaction split',
      'a record of an aborted transaction shown',
    ])
  })

  async function readPaid(broker: TestBroker, recorder: Recorder): Promise<void> {
    const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
    const cluster = new Cluster(nodeRuntime(tcpNetwork), { bootstrap, clientId: 'history' })
    closing.push(() => cluster.close())
    await readAll(cluster, recorder, 'paid', 4)
  }

  /**
   * Writes in turns to partitions of `paid`, which others write to at the same time, and to one of
   * `sent` of its own: kafkajs shows records of aborted transactions when a fetch begins between
   * the records of two that overlap. Returns what it committed to `sent`.
   */
  async function transact(
    kafka: KafkaClient,
    recorder: Recorder,
    producerNumber: number,
  ): Promise<string[]> {
    const transactionalId = `till-${producerNumber}`
    const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    closing.push(() => producer.disconnect())
    const committed: string[] = []
    for (let number = 0; number < transactionCount; number++) {
      const steps: TransactionStep[] = []
      const end = (number + producerNumber) % 3 === 0 ? 'abort' : 'commit'
      const pending = recorder.begin(transactionalId, { kind: 'txn', transactionalId, steps, end })
      const transaction = await producer.transaction()
      for (const [topic, partition] of [
        ['paid', number % 4],
        ['sent', producerNumber],
      ] as const) {
        const value = `${transactionalId} ${number} ${topic}`
        const step = { kind: 'send', partition: `${topic}-${partition}`, value } as const
        const sent = await transaction.send({ topic, messages: [{ value, partition }] })
        steps.push({ ...step, offset: Number(sent[0]!.baseOffset) })
        if (end === 'commit' && topic === 'sent') committed.push(value)
      }
      const endTimeMs = systemClock.monotonicMs()
      await transaction[end]()
      pending.ok({ kind: 'txn', transactionalId, steps, end, endTimeMs })
    }
    return committed
  }

  async function consumeAll(
    kafka: KafkaClient,
    recorder: Recorder,
    seen: Set<string>,
  ): Promise<void> {
    const consumer = kafka.consumer({ groupId: 'auditors', maxWaitTimeInMs: 20 })
    await consumer.connect()
    closing.push(() => consumer.disconnect())
    recorder.note('auditor', { kind: 'subscribe', group: 'auditors', topics: ['sent'] })
    await consumer.subscribe({ topics: ['sent'], fromBeginning: true })
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const pending = recorder.begin('auditor', { kind: 'poll', records: {} })
        const pairs = batch.messages.map(
          ({ offset, value }): OffsetAndValue => [Number(offset), value!.toString()],
        )
        pending.ok({ kind: 'poll', records: { [`${batch.topic}-${batch.partition}`]: pairs } })
        for (const [, value] of pairs) seen.add(String(value))
      },
    })
  }
})
