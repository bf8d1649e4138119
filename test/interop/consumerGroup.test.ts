// Consumer groups of KIP-848 with a client that supports them (@platformatic/kafka), alone and
// together with a member of the classic protocol (kafkajs).

import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { PlatformaticClients } from './platformaticClients.ts'
import { TestBroker } from './testBroker.ts'

describe('a group of the consumer protocol', () => {
  let broker: TestBroker
  const clients = new PlatformaticClients(() => broker.address)

  beforeAll(async () => {
    broker = await TestBroker.start({ 'group.consumer.heartbeat.interval.ms': 100 })
  })

  afterEach(() => clients.close())

  afterAll(() => broker?.stop())

  const join = (groupId: string, topic: string) =>
    clients.join(groupId, topic, { groupProtocol: 'consumer' })

  /** Starts a member of the classic protocol. */
  async function joinClassic(groupId: string, topic: string) {
    const kafka = new Kafka({
      clientId: 'classic',
      brokers: [broker.address],
      logLevel: logLevel.NOTHING,
    })
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 100, maxWaitTimeInMs: 100 })
    clients.alsoClose(() => consumer.disconnect())
    let assigned: number[] = []
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      assigned = payload.memberAssignment[topic] ?? []
    })
    const values: string[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value!.toString())
      },
    })
    return { values, share: () => assigned.length }
  }

  it('shares a topic, reassigns the partitions of a member that leaves, and keeps its offsets', async () => {
    await clients.admin().createTopics({ topics: ['shared'], partitions: 4, replicas: 1 })
    const first = await join('shared-group', 'shared')
    await eventually('all four', () => first.share() === 4)
    const second = await join('shared-group', 'shared')
    await eventually('two each', () => first.share() === 2 && second.share() === 2)
    await clients.send('shared', keys(0, 100))
    await eventually('all', () => new Set([...first.values, ...second.values]).size === 100)
    const groups = await clients.admin().listGroups({ types: ['consumer'] })
    expect(groups.get('shared-group')).toMatchObject({ state: 'Stable', groupType: 'consumer' })
    await second.leave()
    await eventually('all four again', () => first.share() === 4)
    await first.leave()
    await clients.send('shared', keys(100, 110))
    const next = await join('shared-group', 'shared')
    await eventually('the rest', () => new Set(next.values).size >= 10)
    expect(new Set(next.values)).toEqual(new Set(keys(100, 110)))
  })

  it('continues after a restart of the broker', async () => {
    await clients.admin().createTopics({ topics: ['kept'], partitions: 2, replicas: 1 })
    const member = await join('kept-group', 'kept')
    await eventually('both', () => member.share() === 2)
    await broker.restart()
    await clients.send('kept', keys(0, 20))
    await eventually('all', () => new Set(member.values).size === 20)
  })

  it('upgrades a running classic group, and downgrades it again', async () => {
    await clients.admin().createTopics({ topics: ['moved'], partitions: 4, replicas: 1 })
    const old = await joinClassic('moved-group', 'moved')
    await eventually('all four', () => old.share() === 4)
    const typeOf = async () =>
      (await clients.admin().listGroups({ types: ['classic', 'consumer'] })).get('moved-group')
        ?.groupType
    expect(await typeOf()).toBe('classic')
    const young = await join('moved-group', 'moved')
    await eventually('two each', () => old.share() === 2 && young.share() === 2)
    expect(await typeOf()).toBe('consumer')
    await clients.send('moved', keys(0, 50))
    await eventually('all', () => new Set([...old.values, ...young.values]).size === 50)
    await young.leave()
    await eventually('all four again', () => old.share() === 4)
    expect(await typeOf()).toBe('classic')
  })
})

function keys(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, index) => `key ${from + index}`)
}
