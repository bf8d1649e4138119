// The stage of @platformatic/kafka: clients that are closed with it, and members of groups of both
// kinds.

import {
  Admin,
  Consumer,
  type Message,
  type MessagesStream,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { eventually } from '../../interop/eventually.ts'
import type { Stage } from '../scenario.ts'

type Text = MessagesStream<string, string, string, string>

export class PlatformaticStage {
  readonly stage: Stage
  readonly #options: {
    clientId: string
    bootstrapBrokers: string[]
    retries: number
    retryDelay: number
  }

  constructor(stage: Stage) {
    this.stage = stage
    const connection = { clientId: 'differential', bootstrapBrokers: [stage.address] }
    this.#options = { ...connection, retries: 5, retryDelay: 50 }
  }

  admin(): Admin {
    const admin = new Admin(this.#options)
    this.stage.onClose(() => admin.close())
    return admin
  }

  producer(transactionalId?: string) {
    const producer = new Producer({
      ...this.#options,
      ...{ serializers: stringSerializers, idempotent: true },
      ...(transactionalId === undefined ? {} : { transactionalId }),
    })
    this.stage.onClose(() => producer.close())
    return producer
  }

  /** Creates a topic and waits until it is served. Returns its name. */
  async createTopic(
    base: string,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const topic = this.stage.name(base)
    const admin = this.admin()
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: entries })
    const wanted = Array.from({ length: partitions }, (_, partitionIndex) => ({
      ...{ partitionIndex, timestamp: -1n },
    }))
    await eventually(`${topic} is served`, () =>
      admin.listOffsets({ topics: [{ name: topic, partitions: wanted }] }).then(
        () => true,
        () => false,
      ),
    )
    return topic
  }

  async join(
    topic: string,
    {
      group = 'group',
      protocol = 'classic' as 'classic' | 'consumer',
      assignor = 'uniform',
      isolationLevel = 1,
    } = {},
  ): Promise<PlatformaticMember> {
    const consumer = new Consumer({
      ...this.#options,
      ...{ groupId: this.stage.name(group), deserializers: stringDeserializers },
      ...(protocol === 'consumer'
        ? { groupProtocol: 'consumer', groupRemoteAssignor: assignor }
        : { sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 100 }),
    })
    const stream = await consumer.consume({
      ...{ topics: [topic], mode: 'committed', fallbackMode: 'earliest' },
      ...{ maxWaitTime: 100, autocommit: false, isolationLevel },
    })
    const member = new PlatformaticMember(consumer, stream)
    this.stage.onClose(() => member.leave())
    return member
  }
}

export class PlatformaticMember {
  readonly consumer: Consumer<string, string, string, string>
  readonly messages: unknown[] = []
  readonly #stream: Text
  #left = false

  constructor(consumer: Consumer<string, string, string, string>, stream: Text) {
    this.consumer = consumer
    this.#stream = stream
    stream.on('error', () => {})
    stream.on('data', (message: Message<string, string, string, string>) => {
      const { partition, offset, key, value, timestamp, headers } = message
      const plain = Object.fromEntries(headers)
      this.messages.push({ partition, offset, key, value, timestamp, headers: plain })
      void Promise.resolve(message.commit()).catch(() => {})
    })
  }

  /** The partitions of the member, in order. */
  get held(): number[] {
    const assignments = this.consumer.assignments ?? []
    return assignments.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b)
  }

  async leave(): Promise<void> {
    if (this.#left) return
    this.#left = true
    await this.#stream.close()
    await this.consumer.close(true)
  }
}
