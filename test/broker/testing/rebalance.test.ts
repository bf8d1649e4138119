// The reaction of clients of both libraries to a rebalance, and to being removed from their group.

import { expect, it } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing/testing.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { eventually } from '../../interop/eventually.ts'
import { atEnd, kafkajsMember, platformaticMember } from './clients.ts'

interface Member {
  readonly values: readonly string[]
  /** Returns how often the member has joined. */
  readonly joins: () => number
}

const members: Readonly<Record<string, (broker: TestBroker) => Promise<Member>>> = {
  async kafkajs(broker) {
    const { values, joins } = await kafkajsMember(broker, 'orders')
    return { values, joins: () => joins.length }
  },
  async '@platformatic/kafka'(broker) {
    const { values, joins } = await platformaticMember(broker, 'orders')
    return { values, joins }
  },
}

async function ordersBroker(): Promise<TestBroker> {
  const broker = await startBroker({
    topics: [{ name: 'orders', partitions: 4 }],
    config: {
      'group.consumer.min.heartbeat.interval.ms': 10,
      'group.consumer.heartbeat.interval.ms': 20,
    },
  })
  atEnd(() => broker.close())
  return broker
}

it.each(Object.keys(members))('%s rejoins in a rebalance', async (name) => {
  const broker = await ordersBroker()
  const one = await members[name]!(broker)
  const two = await members[name]!(broker)
  await broker.waitForGroup('group', { members: 2 })
  const before = one.joins()
  await broker.rebalance('group')
  expect(broker.group('group')).toMatchObject({ state: 'PreparingRebalance' })
  await broker.waitForGroup('group', { members: 2 })
  await eventually('another join', () => one.joins() > before)
  await broker.produce('orders', ['a', 'b'])
  // A member that has not read its new assignment yet may fetch a partition that another one has.
  const received = () => new Set([...one.values, ...two.values])
  await eventually('both', () => received().size === 2)
})

it.each(Object.keys(members))('%s rejoins after it was removed', async (name) => {
  const broker = await ordersBroker()
  const member = await members[name]!(broker)
  const { members: found } = await broker.waitForGroup('group', { members: 1 })
  const before = member.joins()
  expect(await broker.removeMembers('group', { clientId: 'somebody else' })).toBe(0)
  expect(await broker.removeMembers('group', { memberId: found[0]!.memberId })).toBe(1)
  await eventually('another join', () => member.joins() > before)
  await broker.waitForGroup('group', { members: 1 })
  await broker.produce('orders', ['a'])
  await eventually('the record', () => member.values.includes('a'))
})

it('a member of the consumer protocol rejoins after a rebalance', async () => {
  const broker = await ordersBroker()
  const member = await platformaticMember(broker, 'orders', { groupProtocol: 'consumer' })
  const before = await broker.waitForGroup('group', { members: 1 })
  const fenced: unknown[] = []
  member.consumer.on('consumer:heartbeat:error', ({ error }) => {
    fenced.push((error as { response?: { errorMessage?: string } }).response?.errorMessage)
  })
  await broker.rebalance('group')
  const after = await broker.waitForGroup('group', { members: 1 })
  expect(after).toEqual(before)
  expect(fenced).toEqual(['rebalance requested by the test'])
  await broker.produce('orders', ['a'])
  await eventually('the record', () => member.values.includes('a'))
})

it('a member of the consumer protocol that was removed learns of it', async () => {
  const broker = await ordersBroker()
  const { consumer } = await platformaticMember(broker, 'orders', { groupProtocol: 'consumer' })
  await broker.waitForGroup('group', { members: 1 })
  const codes: unknown[] = []
  consumer.on('consumer:heartbeat:error', ({ error }) => {
    codes.push((error as { response?: { errorCode?: number } }).response?.errorCode)
  })
  expect(await broker.removeMembers('group')).toBe(1)
  // The Java client joins again on this; @platformatic/kafka 2.12 continues its heartbeats.
  await eventually('the news', () => codes.includes(ErrorCode.unknownMemberId))
  expect(broker.group('group')!.members).toEqual([])
})

it('a rebalance of an empty group is refused', async () => {
  const broker = await ordersBroker()
  const { consumer } = await kafkajsMember(broker, 'orders')
  await broker.waitForGroup('group', { members: 1 })
  await consumer.disconnect()
  await broker.waitForGroup('group', { members: 0 })
  await expect(broker.rebalance('group')).rejects.toThrow('group group has no members')
  await expect(broker.rebalance('other')).rejects.toThrow(
    'group other does not exist; existing groups: group',
  )
})
