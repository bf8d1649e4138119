// The cost of a scrape of /metrics for a broker with 10,000 partitions: time of the event loop,
// which is lost to clients, and its longest block. Baseline: prom-client's gauges with as many
// samples.

import { Gauge, Registry } from 'prom-client'
import { type Broker, startBroker } from '../../broker/broker.ts'
import { brokerConfig } from '../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../broker/controller/metadata/memoryMetadataLog.ts'
import { createTopics } from '../../protocol/kafka/apis/createTopics.ts'
import { offsetCommit } from '../../protocol/kafka/apis/offsetCommit.ts'
import { produce } from '../../protocol/kafka/apis/produce.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../protocol/runtime/time/clock.ts'
import { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { batchOf, RawClient } from '../broker/server/memoryBroker.ts'
import { MemoryLogger } from '../memoryLogger.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'a scrape of /metrics with 10,000 partitions'

const topics = 100
const partitionsPerTopic = 100
const partitions = topics * partitionsPerTopic
const names = Array.from({ length: topics }, (_, number) => `orders-${number}`)
const address = { host: 'broker', port: 9092 }
const warmUps = 3
const fewestScrapes = 3
/** Topics that receive records between two scrapes. */
const busyTopics = 10

/** No maintenance of ten thousand logs during a scrape. */
const quiet = {
  'log.flush.offset.checkpoint.interval.ms': 3_600_000,
  'log.initial.task.delay.ms': 3_600_000,
  'log.cleaner.enable': false,
}

interface Cost {
  readonly loopMs: number
  readonly longestMs: number
  readonly bytes: number
  readonly samples: number
}

export async function run({ seconds }: BenchOptions): Promise<Row[]> {
  const scene = await Scene.start()
  try {
    await scene.createTopics()
    await scene.produce(names)
    const plain = await scene.measure(seconds)
    await scene.commit()
    const grouped = await scene.measure(seconds)
    return [
      ...rowsOf(`${partitions} partitions`, plain, await baseline(plain.samples, seconds)),
      ...rowsOf(
        `${partitions} partitions and a group that lags in each`,
        grouped,
        await baseline(grouped.samples, seconds),
      ),
    ]
  } finally {
    await scene.end()
  }
}

function rowsOf(name: string, ours: Cost, theirs: Cost): Row[] {
  return [
    row(`event loop, ${name}`, ours.loopMs, 'ms', theirs.loopMs),
    row(`longest block, ${name}`, ours.longestMs, 'ms', theirs.longestMs),
    row(`size, ${name}`, ours.bytes / 1e6, 'MB', theirs.bytes / 1e6),
    row(`samples, ${name}`, ours.samples, ''),
  ]
}

/** A broker in memory, so that all processor time is that of JavaScript. */
class Scene {
  readonly #broker: Broker
  readonly #client: RawClient
  readonly #metrics: Metrics

  private constructor(broker: Broker, client: RawClient, metrics: Metrics) {
    this.#broker = broker
    this.#client = client
    this.#metrics = metrics
  }

  static async start(): Promise<Scene> {
    const network = memoryNetwork()
    const metrics = new Metrics()
    const broker = await startBroker({
      runtime: {
        clock: systemClock,
        disk: new MemoryDisk(),
        network,
        random: systemRandom(),
        scheduler: systemScheduler,
      },
      logger: new MemoryLogger(),
      metrics,
      config: brokerConfig({ 'log.dir': '/data', 'log.dir.reserved.bytes': 0, ...quiet }),
      listeners: [{ name: 'MEMORY', network, address }],
      openMetadataLog: async () => new MemoryMetadataLog(),
    })
    return new Scene(broker, new RawClient(await network.connect(address, 1000)), metrics)
  }

  async createTopics(): Promise<void> {
    const wish = { numPartitions: partitionsPerTopic, replicationFactor: 1, assignments: [] }
    for (const name of names) {
      const request = { topics: [{ name, ...wish, configs: [] }], timeoutMs: 60_000 }
      await this.#client.send(createTopics, 7, request)
    }
  }

  /** Produces to every partition of the topics. */
  async produce(to: readonly string[] = names.slice(0, busyTopics)): Promise<void> {
    for (const name of to) {
      const partitionData = eachPartition((index) => ({ index, records: batchOf('a', 'b', 'c') }))
      const topicData = [{ name, partitionData }]
      await this.#client.send(produce, 12, { acks: -1, timeoutMs: 60_000, topicData })
    }
  }

  async commit(): Promise<void> {
    for (const name of names) {
      const offsets = eachPartition((partitionIndex) => ({
        partitionIndex,
        committedOffset: 1,
        committedMetadata: '',
      }))
      const topicsOf = [{ name, partitions: offsets }]
      await this.#client.send(offsetCommit, 8, { groupId: 'g', memberId: '', topics: topicsOf })
    }
    // Matches when the lag in seconds of all groups is known.
    const known = /millrace_consumer_group_lag_staleness_seconds 0\n/
    while (!known.test(await this.#metrics.expose()));
  }

  async measure(seconds: number): Promise<Cost> {
    return await measure(
      seconds,
      () => this.produce(),
      () => this.#metrics.exposeBytes(),
    )
  }

  async end(): Promise<void> {
    this.#client.close()
    await this.#broker.close()
  }
}

/** As many gauges as Millrace has families, each with a sample for each partition. */
async function baseline(samples: number, seconds: number): Promise<Cost> {
  const registry = new Registry()
  const count = Math.round(samples / partitions)
  const labelNames = ['topic', 'partition']
  const gauges = Array.from({ length: count }, (_, number) => {
    const name = `kafka_topic_partition_figure_${number}`
    return new Gauge({ name, help: 'Baseline.', labelNames, registers: [registry] })
  })
  let value = 1_000_000
  return await measure(
    seconds,
    async () => {},
    async () => {
      value++
      for (const gauge of gauges) {
        for (const topic of names) {
          for (let partition = 0; partition < partitionsPerTopic; partition++) {
            gauge.set({ topic, partition }, value)
          }
        }
      }
      return Buffer.from(await registry.metrics())
    },
  )
}

/** Returns the median of several scrapes, each after a change. */
async function measure(
  seconds: number,
  change: () => Promise<void>,
  scrape: () => Promise<Buffer>,
): Promise<Cost> {
  for (let round = 0; round < warmUps; round++) await scrape()
  const costs: Cost[] = []
  const endMs = performance.now() + seconds * 1000
  while (costs.length < fewestScrapes || performance.now() < endMs) {
    await change()
    costs.push(await costOf(scrape))
  }
  const by = (read: (cost: Cost) => number) => median(costs.map(read))
  return {
    loopMs: by(({ loopMs }) => loopMs),
    longestMs: by(({ longestMs }) => longestMs),
    bytes: by(({ bytes }) => bytes),
    samples: by(({ samples }) => samples),
  }
}

async function costOf(scrape: () => Promise<Buffer>): Promise<Cost> {
  let longestMs = 0
  let lastMs = performance.now()
  let isOver = false
  const turn = () => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  const before = process.cpuUsage()
  const text = await scrape()
  const { user, system } = process.cpuUsage(before)
  isOver = true
  turn()
  const samples = text
    .toString()
    .split('\n')
    .filter((line) => line !== '' && line[0] !== '#').length
  return { loopMs: (user + system) / 1000, longestMs, bytes: text.length, samples }
}

function eachPartition<T>(make: (partition: number) => T): T[] {
  return Array.from({ length: partitionsPerTopic }, (_, partition) => make(partition))
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >> 1]!
}
