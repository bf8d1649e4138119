// Clients of both libraries for the tests of the test broker, closed at the end of each test. Short
// timeouts and no retry delay: a test sees a client's reaction to a fault without waiting.

import {
  Admin,
  type ConsumerOptions,
  Consumer as PlatformaticConsumer,
  Producer as PlatformaticProducer,
  ProduceAcks,
  type ProducerOptions,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import {
  type ConsumerConfig,
  Kafka,
  type KafkaConfig,
  logLevel,
  type ProducerConfig,
} from 'kafkajs'
import { afterEach } from 'vitest'

interface Bootstrap {
  readonly bootstrap: string
}

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close().catch(() => {})
})

/** Closed before everything that was started earlier. */
export function atEnd(close: () => Promise<unknown>): void {
  closing.push(close)
}

export function kafkajs({ bootstrap }: Bootstrap, settings: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    clientId: 'kafkajs',
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 20, retries: 5 },
    ...settings,
  })
}

export async function kafkajsProducer(broker: Bootstrap, settings: ProducerConfig = {}) {
  const producer = kafkajs(broker).producer(settings)
  await producer.connect()
  atEnd(() => producer.disconnect())
  return producer
}

/** A member that reads from the beginning. */
export async function kafkajsMember(
  broker: Bootstrap,
  topic: string,
  settings: Partial<ConsumerConfig> = {},
) {
  const consumer = kafkajs(broker).consumer({
    groupId: 'group',
    heartbeatInterval: 20,
    // A client that rejoins as a new member waits until the session of its old member expires.
    sessionTimeout: 1000,
    maxWaitTimeInMs: 50,
    ...settings,
  })
  const values: string[] = []
  const joins: number[] = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    joins.push(Object.values(payload.memberAssignment).flat().length)
  })
  await consumer.connect()
  atEnd(() => consumer.disconnect())
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(message.value!.toString())
    },
  })
  return { consumer, values, joins }
}

type TextProducerOptions = ProducerOptions<string, string, string, string>
type TextConsumerOptions = ConsumerOptions<string, string, string, string>

function platformaticOptions({ bootstrap }: Bootstrap) {
  return {
    clientId: 'platformatic',
    bootstrapBrokers: [bootstrap],
    retries: 5,
    retryDelay: 5,
    timeout: 1000,
    requestTimeout: 2000,
  }
}

export function platformaticAdmin(broker: Bootstrap): Admin {
  const admin = new Admin(platformaticOptions(broker))
  atEnd(() => admin.close())
  return admin
}

export function platformaticProducer(
  broker: Bootstrap,
  settings: Partial<TextProducerOptions> = {},
) {
  const producer: PlatformaticProducer<string, string, string, string> = new PlatformaticProducer({
    ...platformaticOptions(broker),
    serializers: stringSerializers,
    ...settings,
  })
  atEnd(() => producer.close())
  const send = (topic: string, value: string) =>
    producer.send({ messages: [{ topic, value }], acks: ProduceAcks.ALL })
  return { producer, send }
}

export async function platformaticMember(
  broker: Bootstrap,
  topic: string,
  settings: Partial<TextConsumerOptions> = {},
) {
  const consumer = new PlatformaticConsumer({
    ...platformaticOptions(broker),
    groupId: 'group',
    heartbeatInterval: 20,
    // A client that rejoins as a new member waits until the session of its old member expires.
    sessionTimeout: 1000,
    deserializers: stringDeserializers,
    ...settings,
  })
  const values: string[] = []
  let joins = 0
  consumer.on('consumer:group:join', () => joins++)
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    maxWaitTime: 50,
    autocommit: false,
  })
  stream.on('error', () => {})
  stream.on('data', (message) => {
    values.push(message.value!)
    void message.commit()
  })
  consumer.on('error', () => {})
  // `close` may wait forever for a group that rebalances meanwhile.
  atEnd(() => Promise.race([consumer.close(true), new Promise((done) => setTimeout(done, 500))]))
  return { consumer, stream, values, joins: () => joins }
}
