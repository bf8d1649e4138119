// An agent and a real broker in one process: a manual clock, disks in memory, an in-memory network.
// The disk of the agent can lose power and the agent be restarted while the broker keeps running.

import { type Agent, type AgentOptions, startAgent } from '../../agent/agent.ts'
import { type Broker, startBroker } from '../../broker/broker.ts'
import { brokerConfig } from '../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../broker/controller/metadata/memoryMetadataLog.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../memoryLogger.ts'
import { drive } from '../protocol/client/drive.ts'

const brokerAddress = { host: 'broker', port: 9092 }

export class AgentRig {
  readonly clock = new ManualClock()
  readonly network = memoryNetwork()
  readonly logger = new MemoryLogger()
  /** Called before each change of the agent's disk; may crash it. */
  beforeChange: (operation: string, path: string) => void = () => {}
  readonly disk = new MemoryDisk({
    nowMs: () => this.clock.nowMs(),
    beforeChange: (operation, path) => this.beforeChange(operation, path),
  })
  agent: Agent | undefined
  #broker: Broker | undefined

  /** `configuration`: keys of server.properties. */
  async startBroker(configuration: Readonly<Record<string, string>> = {}): Promise<void> {
    const { clock, network } = this
    const runtime = {
      clock,
      network,
      random: seededRandom(1),
      disk: new MemoryDisk(),
      scheduler: systemScheduler,
    }
    const starting = startBroker({
      runtime,
      logger: silentLogger,
      config: brokerConfig({ 'log.dir': '/broker', ...configuration }),
      listeners: [{ name: 'local', network, address: brokerAddress }],
      openMetadataLog: async () => new MemoryMetadataLog(),
    })
    this.#broker = await drive(clock, starting)
  }

  async startAgent(configuration: string, options: Partial<AgentOptions> = {}): Promise<void> {
    const { clock, network, disk, logger } = this
    const runtime = { clock, network, disk, random: seededRandom(2), scheduler: systemScheduler }
    const host = { name: 'host', fullName: 'host.example', address: '10.0.0.1' }
    this.agent = await drive(
      clock,
      startAgent({ runtime, logger, name: 'a1', configuration, host, ...options }),
    )
  }

  async stopAgent(): Promise<void> {
    const agent = this.agent
    this.agent = undefined
    if (agent !== undefined) await drive(this.clock, agent.stop())
  }

  /** Lets time pass until `condition` holds; fails after ten minutes of the clock. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = this.clock.monotonicMs() + 600_000
    while (!(await condition())) {
      if (this.clock.monotonicMs() > deadlineMs) throw new Error('it never came to be')
      await this.clock.advanceAndSettle(20)
    }
  }

  /** Appends to a file as a program would that syncs what it writes. */
  async append(path: string, text: string): Promise<void> {
    const file = await this.disk.open(path, 'write')
    const { sizeBytes } = await file.stat()
    await file.write([Buffer.from(text)], sizeBytes)
    await file.sync()
    await file.close()
    await this.disk.syncDirectory(path.slice(0, path.lastIndexOf('/')) || '/')
  }

  /** Every record's value in a topic's partition, in order. */
  async values(topic: string, partition = 0): Promise<string[]> {
    const values: string[] = []
    for (const batch of await this.batches(topic, partition)) {
      for (const record of records(batch, 10_000_000)) values.push(String(record.value))
    }
    return values
  }

  /** Every batch in a topic's partition, as the broker has it. */
  async batches(topic: string, partition = 0): Promise<RecordBatch[]> {
    const { clock, network } = this
    const runtime = { clock, network, random: seededRandom(3), scheduler: systemScheduler }
    const cluster = new Cluster(runtime, { bootstrap: [brokerAddress], clientId: 'test' })
    const reading = async () => {
      const reader = new PartitionReader(cluster, { topic, partition, maxWaitMs: 1 })
      const all: RecordBatch[] = []
      for (let offset = 0; ; ) {
        const { batches, highWatermark } = await reader.fetch(offset)
        for (const batch of splitBatches(batches)) {
          all.push(batch)
          offset = batch.nextOffset
        }
        if (offset >= highWatermark) return all
      }
    }
    const all = await drive(clock, reading())
    await cluster.close()
    return all
  }

  /** Stops the broker and discards its data: the next broker starts empty. */
  async stopBroker(): Promise<void> {
    const broker = this.#broker
    this.#broker = undefined
    if (broker !== undefined) await drive(this.clock, broker.close())
  }

  async close(): Promise<void> {
    await this.stopAgent()
    await this.stopBroker()
  }
}

/** taildir -> file channel -> Kafka. */
export function tailToKafka(extra: Readonly<Record<string, string | number>> = {}): string {
  const lines: Record<string, string | number> = {
    sources: 'r1',
    channels: 'c1',
    sinks: 'k1',
    'sources.r1.type': 'TAILDIR',
    'sources.r1.filegroups': 'f1',
    'sources.r1.filegroups.f1': '/logs/app\\\\.log',
    'sources.r1.positionFile': '/agent/positions.json',
    'sources.r1.batchSize': 5,
    'sources.r1.channels': 'c1',
    'channels.c1.type': 'file',
    'channels.c1.checkpointDir': '/agent/checkpoint',
    'channels.c1.dataDirs': '/agent/data',
    'channels.c1.minimumRequiredSpace': 0,
    'sinks.k1.type': 'org.apache.flume.sink.kafka.KafkaSink',
    'sinks.k1.channel': 'c1',
    'sinks.k1.kafka.bootstrap.servers': 'broker:9092',
    'sinks.k1.kafka.topic': 'lines',
    'sinks.k1.flumeBatchSize': 7,
    ...extra,
  }
  return Object.entries(lines)
    .map(([key, value]) => `a1.${key} = ${value}`)
    .join('\n')
}
