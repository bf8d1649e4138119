// kafkajs (the old versions of every API) against the broker.

import { CompressionTypes, type Consumer, Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { TestBroker } from './testBroker.ts'

describe('kafkajs', () => {
  let broker: TestBroker
  let kafka: Kafka
  const closing: (() => Promise<void>)[] = []

  beforeAll(async () => {
    broker = await TestBroker.start()
    kafka = new Kafka({
      clientId: 'interop',
      brokers: [broker.address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 20 },
    })
  })

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  afterAll(() => broker?.stop())

  async function admin() {
    const client = kafka.admin()
    await client.connect()
    closing.push(() => client.disconnect())
    return client
  }

  async function send(
    topic: string,
    values: readonly string[],
    compression = CompressionTypes.None,
  ) {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    closing.push(() => producer.disconnect())
    const messages = values.map((value) => ({ key: value, value, headers: { host: 'h1' } }))
    return await producer.send({ topic, messages, compression })
  }

  async function join(groupId: string, topic: string) {
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: 6000,
      heartbeatInterval: 200,
      rebalanceTimeout: 10_000,
      maxWaitTimeInMs: 100,
    })
    const member = { consumer, values: [] as string[], partitions: new Set<number>() }
    await consumer.connect()
    closing.push(() => consumer.disconnect())
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message, partition }) => {
        member.values.push(message.value!.toString())
        member.partitions.add(partition)
      },
    })
    return member
  }

  it('creates, lists, describes and deletes topics', async () => {
    const client = await admin()
    const topic = { topic: 'made', numPartitions: 3, configEntries: [] }
    expect(await client.createTopics({ topics: [topic] })).toBe(true)
    expect(await client.createTopics({ topics: [topic] })).toBe(false)
    expect(await client.listTopics()).toContain('made')
    const { topics } = await client.fetchTopicMetadata({ topics: ['made'] })
    expect(topics[0]!.partitions.map(({ partitionId }) => partitionId).sort()).toEqual([0, 1, 2])
    await client.createPartitions({ topicPartitions: [{ topic: 'made', count: 5 }] })
    expect(await client.fetchTopicOffsets('made')).toHaveLength(5)
    const configs = await client.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: 'made', configNames: ['segment.bytes'] }],
    })
    expect(configs.resources[0]!.configEntries[0]).toMatchObject({ configValue: '1073741824' })
    await client.deleteTopics({ topics: ['made'] })
    expect(await client.listTopics()).not.toContain('made')
  })

  it('refuses what Kafka refuses', async () => {
    const client = await admin()
    const create = (topic: object) =>
      client.createTopics({ topics: [topic as { topic: string }] }).catch((error) => error)
    const twice = await create({ topic: 'copies', replicationFactor: 2 })
    expect(twice.errors[0]).toMatchObject({ type: 'INVALID_REPLICATION_FACTOR' })
    const named = await create({ topic: 'no spaces' })
    expect(named.errors[0]).toMatchObject({ type: 'INVALID_TOPIC_EXCEPTION' })
    const entries = [{ name: 'segment.bytes', value: 'big' }]
    const configured = await create({ topic: 'configured', configEntries: entries })
    expect(configured.errors[0]).toMatchObject({ type: 'INVALID_CONFIG' })
  })

  it('produces with gzip and consumes the same records', async () => {
    const values = Array.from({ length: 1000 }, (_, index) => `value ${index}`)
    await send('zipped', values, CompressionTypes.GZIP)
    const member = await join('zipped-group', 'zipped')
    await eventually('all values', () => member.values.length === values.length)
    expect(member.values).toEqual(values)
  })

  it('shares a topic between two members, and reassigns the partitions of one that leaves', async () => {
    const client = await admin()
    await client.createTopics({ topics: [{ topic: 'shared', numPartitions: 4 }] })
    const first = await join('shared-group', 'shared')
    const joined = assignments(first.consumer)
    const second = await join('shared-group', 'shared')
    await eventually('a rebalance', () => joined.at(-1)?.length === 2)
    await send('shared', keys(0, 200))
    await eventually('all', () => first.values.length + second.values.length === 200)
    expect([...first.partitions].filter((each) => second.partitions.has(each))).toEqual([])
    expect(new Set([...first.values, ...second.values]).size).toBe(200)
    const described = await client.describeGroups(['shared-group'])
    expect(described.groups[0]).toMatchObject({ state: 'Stable', protocolType: 'consumer' })
    expect(described.groups[0]!.members).toHaveLength(2)

    const before = first.values.length
    await second.consumer.disconnect()
    await eventually('the partitions come back', () => joined.at(-1)?.length === 4)
    await send('shared', keys(200, 300))
    await eventually('the rest', () => first.values.length - before === 100)
  })

  it('continues from committed offsets after a restart of the broker', async () => {
    await send('kept', keys(0, 10))
    const before = await join('kept-group', 'kept')
    await eventually('ten', () => before.values.length === 10)
    await before.consumer.disconnect()
    await broker.restart()
    const client = await admin()
    const [offsets] = await client.fetchOffsets({ groupId: 'kept-group', topics: ['kept'] })
    expect(offsets!.partitions).toMatchObject([{ partition: 0, offset: '10' }])
    await send('kept', keys(10, 15))
    const after = await join('kept-group', 'kept')
    await eventually('five more', () => after.values.length >= 5)
    expect(after.values).toEqual(keys(10, 15))
  })

  it('lists and deletes groups', async () => {
    await send('grouped', ['x'])
    const member = await join('doomed', 'grouped')
    await eventually('read', () => member.values.length === 1)
    const client = await admin()
    const refused = await client.deleteGroups(['doomed']).catch((error) => error)
    expect(refused.groups[0].error).toMatchObject({ type: 'NON_EMPTY_GROUP' })
    await member.consumer.disconnect()
    await client.deleteGroups(['doomed'])
    const { groups } = await client.listGroups()
    expect(groups.map(({ groupId }) => groupId)).not.toContain('doomed')
  })
})

function keys(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, index) => `key ${from + index}`)
}

/** The partitions that each rebalance assigned to the consumer. */
function assignments(consumer: Consumer): number[][] {
  const seen: number[][] = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    seen.push(Object.values(payload.memberAssignment).flat())
  })
  return seen
}
