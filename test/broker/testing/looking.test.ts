// Inspection of a broker by a test: records, groups and committed offsets, and waiting for them.

import { describe, expect, it } from 'vitest'
import { startBroker, type TestTopic } from '../../../broker/testing/testing.ts'
import {
  atEnd,
  kafkajsMember,
  kafkajsProducer,
  platformaticAdmin,
  platformaticMember,
} from './clients.ts'

async function broker(...topics: (string | TestTopic)[]) {
  const started = await startBroker({ topics })
  atEnd(() => started.close())
  return started
}

describe('records', () => {
  it('are read back as texts and as bytes', async () => {
    const { produced, started } = await withProduced()
    expect(await started.records('orders')).toMatchObject(produced)
    const [first] = await started.records('orders')
    expect(first).toEqual({
      topic: 'orders',
      partition: 0,
      offset: 0,
      timestampMs: 1_700_000_000_000,
      key: 'k',
      value: 'v',
      headers: { trace: '2' },
      keyBytes: Buffer.from('k'),
      valueBytes: Buffer.from('v'),
      allHeaders: [
        { name: 'trace', value: Buffer.from('1') },
        { name: 'trace', value: Buffer.from('2') },
      ],
    })
  })

  async function withProduced() {
    const started = await broker('orders')
    const producer = await kafkajsProducer(started)
    const timestamp = '1700000000000'
    const messages = [
      { key: 'k', value: 'v', timestamp, headers: { trace: ['1', '2'] } },
      { value: null },
      { value: Buffer.from([0xff, 0x00]) },
    ]
    await producer.send({ topic: 'orders', messages })
    const produced = [
      { offset: 0, key: 'k', value: 'v' },
      { offset: 1, key: null, value: null },
      { offset: 2, valueBytes: Buffer.from([0xff, 0x00]) },
    ]
    return { started, produced }
  }

  it('can be produced by the test', async () => {
    const started = await broker({ name: 'wide', partitions: 2 })
    await started.produce('wide', [
      { value: 'text', partition: 0 },
      { value: 'a', partition: 1, key: 'k', headers: { h: 'x', n: null }, timestampMs: 5 },
      { value: { price: 7 }, partition: 1 },
    ])
    await started.produce('new', [{ id: 1, value: 2 }, 7, null, Buffer.from('bytes')])
    expect(await started.records('wide', { partition: 1 })).toMatchObject([
      { value: 'a', key: 'k', headers: { h: 'x', n: null }, timestampMs: 5 },
      { value: '{"price":7}' },
    ])
    expect(await started.records('wide')).toHaveLength(3)
    expect((await started.records('new')).map(({ value }) => value)).toEqual([
      '{"id":1,"value":2}',
      '7',
      null,
      'bytes',
    ])
  })

  it('of open and aborted transactions are left out by default', async () => {
    const started = await broker('orders')
    const producer = await kafkajsProducer(started, {
      transactionalId: 'tx',
      maxInFlightRequests: 1,
      idempotent: true,
    })
    for (const end of ['commit', 'abort'] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'orders', messages: [{ value: end }] })
      await transaction[end]()
    }
    const open = await producer.transaction()
    await open.send({ topic: 'orders', messages: [{ value: 'open' }] })
    const values = async (isolation?: 'committed' | 'uncommitted') =>
      (await started.records('orders', isolation && { isolation })).map(({ value }) => value)
    expect(await values()).toEqual(['commit'])
    expect(await values('uncommitted')).toEqual(['commit', 'abort', 'open'])
    await open.abort()
  })

  it('can be waited for before the topic exists', async () => {
    const started = await broker()
    const waiting = started.waitForRecords('later', 3)
    await started.produce('later', ['a', 'b'])
    await started.produce('later', ['c'])
    expect((await waiting).map(({ value }) => value)).toEqual(['a', 'b', 'c'])
    await expect(started.waitForRecords('later', 4, { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: 'timed out after 30 ms waiting for 4 records in later; found 3',
    })
  })

  it('of a missing topic are an error that lists the existing ones', async () => {
    const started = await broker('orders', 'more')
    await expect(started.records('order')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'topic order does not exist; existing topics: more, orders',
    })
    await expect(started.records('orders', { partition: 1 })).rejects.toMatchObject({
      message: 'topic orders has no partition 1; its partitions are 0',
    })
    await expect(started.produce('orders', [undefined as never])).rejects.toMatchObject({
      message: 'a record has an invalid value: undefined',
    })
  })

  it('are read from the log start after a deletion', async () => {
    const started = await broker('orders')
    await started.produce('orders', ['a', 'b', 'c'])
    await platformaticAdmin(started).deleteRecords({
      topics: [{ name: 'orders', partitions: [{ partition: 0, offset: 2n }] }],
    })
    expect(await started.records('orders')).toMatchObject([{ offset: 2, value: 'c' }])
  })
})

describe('groups', () => {
  it('are described and waited for, with their committed offsets', async () => {
    const started = await broker('orders')
    expect(started.group('group')).toBeUndefined()
    expect(await started.committed('group')).toEqual([])
    await started.produce('orders', ['a', 'b'])
    await kafkajsMember(started, 'orders')
    const group = await started.waitForGroup('group', { members: 1 })
    expect(group).toMatchObject({ groupId: 'group', protocol: 'classic', state: 'Stable' })
    expect(group.members).toMatchObject([{ clientId: 'kafkajs' }])
    await started.waitForCommitted('group', { topic: 'orders', offset: 2 })
    expect(await started.committed('group')).toEqual([{ topic: 'orders', partition: 0, offset: 2 }])
  })

  it('of the consumer protocol are described as well', async () => {
    const started = await broker('orders')
    const member = await platformaticMember(started, 'orders', { groupProtocol: 'consumer' })
    const group = await started.waitForGroup('group', { members: 1 })
    expect(group).toMatchObject({ protocol: 'consumer', members: [{ clientId: 'platformatic' }] })
    await member.stream.close()
    await member.consumer.close(true)
    await started.waitForGroup('group', { members: 0 })
  })

  it('that do not become stable are an error with the state of the group', async () => {
    const started = await broker('orders')
    await expect(started.waitForGroup('group', { members: 2, timeoutMs: 20 })).rejects.toThrow(
      'timed out after 20 ms waiting for group group Stable with 2 members; it is unknown',
    )
    await expect(
      started.waitForCommitted('group', { topic: 'orders', offset: 1 }, { timeoutMs: 20 }),
    ).rejects.toThrow('offset 1 of orders-0 committed by group; the committed offset is undefined')
    await expect(started.rebalance('group')).rejects.toThrow(
      'group group does not exist; there are no groups',
    )
  })

  it('end a wait when the broker is closed', async () => {
    const started = await broker('orders')
    const waiting = expect(started.waitForGroup('group', { members: 1 })).rejects.toMatchObject({
      code: 'NOT_RUNNING',
    })
    await started.close()
    await waiting
  })
})
