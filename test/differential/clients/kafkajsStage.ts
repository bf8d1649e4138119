// The stage of kafkajs: clients that are closed with it, and the observed assignments of members.

import kafkajs, {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type Kafka,
  type KafkaMessage,
  type Producer,
  type ProducerConfig,
} from 'kafkajs'
import { Compression, compress, decompress } from '../../../protocol/bytes/compression.ts'
import { eventually } from '../../interop/eventually.ts'
import type { Stage } from '../scenario.ts'

// Node finds only some exports of kafkajs by name.
const { AssignerProtocol, CompressionCodecs, CompressionTypes, logLevel } = kafkajs
const mostBytes = 1 << 24

// kafkajs contains gzip only, and accepts other codecs from its user.
for (const [type, codec] of [
  [CompressionTypes.Snappy, Compression.snappy],
  [CompressionTypes.LZ4, Compression.lz4],
  [CompressionTypes.ZSTD, Compression.zstd],
] as const) {
  CompressionCodecs[type] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compress(codec, buffer),
    decompress: async (buffer: Buffer) => decompress(codec, buffer, mostBytes),
  })
}

export class KafkajsStage {
  readonly stage: Stage
  readonly kafka: Kafka

  constructor(stage: Stage) {
    this.stage = stage
    this.kafka = new kafkajs.Kafka({
      clientId: 'differential',
      brokers: [stage.address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 30, maxRetryTime: 300, retries: 5 },
    })
  }

  async admin(): Promise<Admin> {
    const admin = this.kafka.admin()
    await admin.connect()
    this.stage.onClose(() => admin.disconnect())
    return admin
  }

  async producer(config: ProducerConfig = {}): Promise<Producer> {
    const producer = this.kafka.producer(config)
    await producer.connect()
    this.stage.onClose(() => producer.disconnect())
    return producer
  }

  /** Creates a topic and waits until it is served. Returns its name. */
  async createTopic(
    base: string,
    numPartitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const topic = this.stage.name(base)
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const admin = await this.admin()
    await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] })
    await eventually(`${topic} is served`, () =>
      admin.fetchTopicOffsets(topic).then(
        () => true,
        () => false,
      ),
    )
    return topic
  }

  /** Starts a consumer. Its records appear in `messages`. */
  async consume(
    topic: string,
    config: Partial<ConsumerConfig> = {},
    { fromBeginning = true, autoCommit = true } = {},
  ): Promise<RunningConsumer> {
    const consumer = this.kafka.consumer({
      groupId: this.stage.name('group'),
      ...{ sessionTimeout: 10_000, heartbeatInterval: 100, maxWaitTimeInMs: 100 },
      ...config,
    })
    const messages: Seen[] = []
    await consumer.connect()
    let running = true
    const stop = async () => {
      if (!running) return
      running = false
      await consumer.disconnect()
    }
    this.stage.onClose(stop)
    await consumer.subscribe({ topic, fromBeginning })
    await consumer.run({
      autoCommit,
      eachMessage: async ({ partition, message }) => {
        messages.push({ partition, ...shown(message) })
      },
    })
    return { consumer, messages, stop }
  }

  /**
   * Waits until the group is stable with this number of members. Returns the partitions of each.
   */
  async settled(groupId: string, members: number): Promise<GroupView> {
    const admin = await this.admin()
    let view: GroupView | undefined
    await eventually(`${groupId} has ${members} members`, async () => {
      const [group] = (await admin.describeGroups([groupId])).groups
      const held = group!.members.map((member) => {
        const decoded = AssignerProtocol.MemberAssignment.decode(member.memberAssignment)
        return Object.fromEntries(
          Object.entries(decoded?.assignment ?? {}).map(([name, list]) => [name, list.toSorted()]),
        )
      })
      const { state, protocol, protocolType } = group!
      const assignments = held.map((each) => JSON.stringify(each)).toSorted()
      view = { state, protocol, protocolType, assignments }
      return state === 'Stable' && held.length === members
    })
    return view!
  }
}

export interface Seen {
  readonly partition: number
  readonly offset: string
}

export interface RunningConsumer {
  readonly consumer: Consumer
  readonly messages: readonly Seen[]
  stop(): Promise<void>
}

export interface GroupView {
  readonly state: string
  readonly protocol: string
  readonly protocolType: string
  readonly assignments: readonly string[]
}

function shown({ offset, key, value, headers, timestamp }: KafkaMessage) {
  return { offset, key, value, headers, timestamp: Number(timestamp) }
}
