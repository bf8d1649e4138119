// @platformatic/kafka (the new versions of every API) against the broker.

import { Consumer, ProduceAcks } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { PlatformaticClients } from './platformaticClients.ts'
import { TestBroker } from './testBroker.ts'

describe('@platformatic/kafka', () => {
  let broker: TestBroker
  const clients = new PlatformaticClients(() => broker.address)

  beforeAll(async () => {
    broker = await TestBroker.start()
  })

  afterEach(() => clients.close())

  afterAll(() => broker?.stop())

  async function send(topic: string, values: readonly string[], compression: 'none' | 'gzip') {
    const producer = clients.producer({ autocreateTopics: true, idempotent: true })
    const messages = values.map((value) => ({
      topic,
      key: value,
      value,
      headers: new Map([['host', 'h1']]),
    }))
    return await producer.send({ messages, acks: ProduceAcks.ALL, compression })
  }

  const join = (groupId: string, topic: string) =>
    clients.join(groupId, topic, {
      sessionTimeout: 6000,
      rebalanceTimeout: 10_000,
      heartbeatInterval: 200,
    })

  it('creates, lists, describes and deletes topics', async () => {
    const client = clients.admin()
    const [created] = await client.createTopics({ topics: ['made'], partitions: 3, replicas: 1 })
    expect(created).toMatchObject({ name: 'made', partitions: 3, replicas: 1 })
    await expect(client.createTopics({ topics: ['made'] })).rejects.toThrow()
    expect(await client.listTopics()).toContain('made')
    const { topics } = await client.metadata({ topics: ['made'] })
    expect(topics.get('made')).toMatchObject({ partitionsCount: 3, id: created!.id })
    await client.createPartitions({ topics: [{ name: 'made', count: 5, assignments: [] }] })
    const grown = await client.metadata({ topics: ['made'], forceUpdate: true })
    expect(grown.topics.get('made')!.partitionsCount).toBe(5)
    await client.deleteTopics({ topics: ['made'] })
    expect(await client.listTopics()).not.toContain('made')
  })

  it('produces with gzip and consumes the same records', async () => {
    const values = Array.from({ length: 1000 }, (_, index) => `value ${index}`)
    const sent = await send('zipped', values, 'gzip')
    expect(sent.offsets).toEqual([{ topic: 'zipped', partition: 0, offset: 0n }])
    const member = await join('zipped-group', 'zipped')
    await eventually('all values', () => member.values.length === values.length)
    expect(member.values).toEqual(values)
  })

  it('finds offsets by position and by timestamp', async () => {
    await send('placed', ['a', 'b', 'c'], 'none')
    const consumer = new Consumer({ ...clients.options, groupId: 'placed-group' })
    clients.alsoClose(() => consumer.close(true))
    const at = async (timestamp: bigint) =>
      (await consumer.listOffsets({ topics: ['placed'], timestamp })).get('placed')![0]
    expect(await at(-1n)).toBe(3n)
    expect(await at(-2n)).toBe(0n)
    expect(await at(BigInt(Date.now() - 60_000))).toBe(0n)
    expect(await at(BigInt(Date.now() + 60_000))).toBe(-1n)
  })

  it('shares a topic between two members, and reassigns the partitions of one that leaves', async () => {
    const client = clients.admin()
    await client.createTopics({ topics: ['shared'], partitions: 4, replicas: 1 })
    const first = await join('shared-group', 'shared')
    const second = await join('shared-group', 'shared')
    const assigned = (consumer: { assignments: { partitions: number[] }[] | null }) =>
      (consumer.assignments ?? []).flatMap(({ partitions }) => partitions).length
    await eventually('two each', () => {
      return assigned(first.consumer) === 2 && assigned(second.consumer) === 2
    })
    await send('shared', keys(0, 200), 'none')
    await eventually('all', () => new Set([...first.values, ...second.values]).size === 200)
    const groups = await client.describeGroups({ groups: ['shared-group'] })
    expect(groups.get('shared-group')).toMatchObject({ state: 'Stable' })
    expect(groups.get('shared-group')!.members.size).toBe(2)
    await second.leave()
    await eventually('all four', () => assigned(first.consumer) === 4)
    await send('shared', keys(200, 300), 'none')
    await eventually('the rest', () => new Set([...first.values, ...second.values]).size === 300)
  })

  it('continues from committed offsets after a restart of the broker', async () => {
    await send('kept', keys(0, 10), 'none')
    const before = await join('kept-group', 'kept')
    await eventually('ten', () => before.values.length === 10)
    const client = clients.admin()
    const committed = async () => {
      const groups = [{ groupId: 'kept-group' }]
      const [group] = await client.listConsumerGroupOffsets({ groups })
      return group?.topics[0]?.partitions[0]?.committedOffset
    }
    await eventually('the commit', async () => (await committed()) === 10n)
    await before.leave()
    await clients.close()
    await broker.restart()
    await send('kept', keys(10, 15), 'none')
    const after = await join('kept-group', 'kept')
    await eventually('five more', () => after.values.length >= 5)
    expect(after.values).toEqual(keys(10, 15))
  })
})

function keys(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, index) => `key ${from + index}`)
}
