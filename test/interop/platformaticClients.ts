// Clients of @platformatic/kafka for the interop tests: created lazily, and all closed at the end
// of the test, the last one first.

import {
  Admin,
  Consumer,
  type ConsumerOptions,
  ProduceAcks,
  Producer,
  type ProducerOptions,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'

type TextProducer = Producer<string, string, string, string>
type TextProducerOptions = ProducerOptions<string, string, string, string>
type TextConsumerOptions = ConsumerOptions<string, string, string, string>

export class PlatformaticClients {
  readonly #address: () => string
  readonly #closing: (() => Promise<void>)[] = []

  /** `address` is called for each client: a broker may restart at another address. */
  constructor(address: () => string) {
    this.#address = address
  }

  get options() {
    return {
      clientId: 'interop',
      bootstrapBrokers: [this.#address()],
      retries: 20,
      retryDelay: 100,
    }
  }

  /** Adds a resource that is closed with the clients. */
  alsoClose(close: () => Promise<unknown>): void {
    this.#closing.push(async () => {
      await close()
    })
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
  }

  admin(): Admin {
    const admin = new Admin(this.options)
    this.alsoClose(() => admin.close())
    return admin
  }

  producer(settings: Partial<TextProducerOptions> = {}): TextProducer {
    const producer: TextProducer = new Producer({
      ...this.options,
      serializers: stringSerializers,
      ...settings,
    })
    this.alsoClose(() => producer.close())
    return producer
  }

  /** Produces values, each of which is its own key. */
  async send(topic: string, values: readonly string[]): Promise<void> {
    const messages = values.map((value) => ({ topic, key: value, value }))
    await this.producer().send({ messages, acks: ProduceAcks.ALL })
  }

  /** Starts a member that commits the records that it has read. */
  async join(groupId: string, topic: string, settings: Partial<TextConsumerOptions> = {}) {
    const consumer = new Consumer({
      ...this.options,
      groupId,
      deserializers: stringDeserializers,
      ...settings,
    })
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      maxWaitTime: 100,
      autocommit: false,
    })
    const values: string[] = []
    const partitions = new Set<number>()
    stream.on('error', () => {})
    stream.on('data', (message) => {
      values.push(message.value!)
      partitions.add(message.partition)
      message.commit()?.catch(() => {})
    })
    let left = false
    const leave = async () => {
      if (left) return
      left = true
      await stream.close()
      await consumer.close(true)
    }
    this.alsoClose(leave)
    const share = () =>
      (consumer.assignments ?? []).reduce((sum, each) => sum + each.partitions.length, 0)
    return { consumer, values, partitions, share, leave }
  }
}
