// The reaction of clients of both libraries when a request fails, is late, or loses its connection,
// on each API that they use.

import { describe, expect, it } from 'vitest'
import {
  type ErrorCodeName,
  type FallibleApiName,
  startBroker,
  type TestBroker,
} from '../../../../broker/testing/testing.ts'
import { eventually } from '../../../interop/eventually.ts'
import {
  atEnd,
  kafkajs,
  kafkajsMember,
  kafkajsProducer,
  platformaticAdmin,
  platformaticMember,
  platformaticProducer,
} from '../clients.ts'

async function ordersBroker(): Promise<TestBroker> {
  const broker = await startBroker({ topics: ['orders'] })
  atEnd(() => broker.close())
  return broker
}

type Send = (value: string) => Promise<unknown>

const producers: Readonly<Record<string, (broker: TestBroker) => Promise<Send>>> = {
  async kafkajs(broker) {
    const producer = await kafkajsProducer(broker)
    return (value) => producer.send({ topic: 'orders', messages: [{ value }] })
  },
  async '@platformatic/kafka'(broker) {
    const { send } = platformaticProducer(broker)
    return (value) => send('orders', value)
  },
}

const members: Readonly<
  Record<string, (broker: TestBroker) => Promise<{ readonly values: readonly string[] }>>
> = {
  kafkajs: (broker) => kafkajsMember(broker, 'orders'),
  '@platformatic/kafka': (broker) => platformaticMember(broker, 'orders'),
}

async function valuesOf(broker: TestBroker): Promise<(string | null)[]> {
  return (await broker.records('orders')).map(({ value }) => value)
}

describe.each(Object.keys(producers))('a producer of %s', (name) => {
  it('retries a retriable error', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    await send('warm')
    const fault = broker.faults.fail('Produce', 'NOT_LEADER_OR_FOLLOWER', { topic: 'orders' })
    await send('refused once')
    expect(fault).toMatchObject({ triggered: 1, isOver: true })
    expect(await valuesOf(broker)).toEqual(['warm', 'refused once'])
  })

  it('stores a duplicate when the record was stored before the error', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    broker.faults.fail('Produce', 'REQUEST_TIMED_OUT', { after: true })
    await send('stored twice')
    broker.faults.assertTriggered()
    expect(await valuesOf(broker)).toEqual(['stored twice', 'stored twice'])
  })

  it('does not retry an error that is not retriable', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    broker.faults.fail('Produce', 'TOPIC_AUTHORIZATION_FAILED', { message: 'not you' })
    await expect(send('refused')).rejects.toThrow()
    expect(await valuesOf(broker)).toEqual([])
    await send('allowed')
    expect(await valuesOf(broker)).toEqual(['allowed'])
  })

  it('reconnects and retries when its connection is closed', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    await send('warm')
    const before = broker.faults.disconnect('Produce')
    await send('sent again')
    expect(before.triggered).toBe(1)
    broker.faults.disconnect('Produce', { after: true })
    await send('lost answer')
    broker.faults.assertTriggered()
    expect(await valuesOf(broker)).toEqual(['warm', 'sent again', 'lost answer', 'lost answer'])
  })

  it('continues after all its connections were closed', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    await send('one')
    expect(broker.closeConnections('somebody else')).toBe(0)
    expect(broker.closeConnections()).toBeGreaterThan(0)
    await send('two')
    expect(await valuesOf(broker)).toEqual(['one', 'two'])
  })

  it('waits for a slow answer', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    await send('warm')
    const fault = broker.faults.delay('Produce', Number.POSITIVE_INFINITY, { after: true })
    let isDone = false
    const sending = send('slow').then(() => {
      isDone = true
    })
    await broker.waitForRecords('orders', 2)
    expect(isDone).toBe(false)
    fault.remove()
    await sending
    expect(await valuesOf(broker)).toEqual(['warm', 'slow'])
  })

  it('gets an error while the disk is full, and continues when it is freed', async () => {
    const broker = await ordersBroker()
    const send = await producers[name]!(broker)
    await send('before')
    await broker.faults.fullDisk()
    await expect(send('refused')).rejects.toThrow()
    expect(await valuesOf(broker)).toEqual(['before'])
    await broker.faults.freeDisk()
    await send('after')
    expect(await valuesOf(broker)).toEqual(['before', 'after'])
  })
})

describe.each(Object.keys(members))('a member of %s', (name) => {
  // After each of these errors the member retries, and continues to read.
  const cases: readonly (readonly [FallibleApiName, ErrorCodeName])[] = [
    ['Fetch', 'NOT_LEADER_OR_FOLLOWER'],
    ['Heartbeat', 'REBALANCE_IN_PROGRESS'],
    ['Heartbeat', 'UNKNOWN_MEMBER_ID'],
    ['OffsetCommit', 'REBALANCE_IN_PROGRESS'],
  ]

  it.each(cases)('continues to read after %s has failed with %s', async (api, error) => {
    const broker = await ordersBroker()
    const member = await members[name]!(broker)
    await broker.waitForGroup('group', { members: 1 })
    const fault = broker.faults.fail(api, error)
    await broker.produce('orders', ['a'])
    await fault.happened()
    await broker.produce('orders', ['b'])
    await eventually('both', () => ['a', 'b'].every((each) => member.values.includes(each)))
  })

  it.each(['Fetch', 'Heartbeat', 'OffsetCommit'] as const)(
    'continues to read after its connection was closed at %s',
    async (api) => {
      const broker = await ordersBroker()
      const member = await members[name]!(broker)
      await broker.waitForGroup('group', { members: 1 })
      const fault = broker.faults.disconnect(api, api === 'Fetch' ? {} : { groupId: 'group' })
      await broker.produce('orders', ['a'])
      await fault.happened()
      await broker.produce('orders', ['b'])
      await eventually('both', () => ['a', 'b'].every((each) => member.values.includes(each)))
    },
  )

  it('gets records later when fetches are slow', async () => {
    const broker = await ordersBroker()
    const member = await members[name]!(broker)
    await broker.waitForGroup('group', { members: 1 })
    const fault = broker.faults.delay('Fetch', Number.POSITIVE_INFINITY, { topic: 'orders' })
    await fault.happened()
    await broker.produce('orders', ['a'])
    expect(member.values).toEqual([])
    fault.remove()
    await eventually('the record', () => member.values.includes('a'))
  })

  it.each(['JoinGroup', 'SyncGroup', 'FindCoordinator', 'OffsetFetch'] as const)(
    'joins its group although %s fails at first',
    async (api) => {
      const broker = await ordersBroker()
      await broker.produce('orders', ['a'])
      const errors = {
        JoinGroup: 'COORDINATOR_LOAD_IN_PROGRESS',
        SyncGroup: 'REBALANCE_IN_PROGRESS',
        FindCoordinator: 'COORDINATOR_NOT_AVAILABLE',
        OffsetFetch: 'COORDINATOR_LOAD_IN_PROGRESS',
      } as const
      broker.faults.fail(api, errors[api])
      const member = await members[name]!(broker)
      await eventually('the record', () => member.values.includes('a'))
      broker.faults.assertTriggered()
    },
  )
})

describe('transactions', () => {
  it.each([
    ['InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS'],
    ['AddPartitionsToTxn', 'CONCURRENT_TRANSACTIONS'],
    ['EndTxn', 'COORDINATOR_LOAD_IN_PROGRESS'],
  ] as const)('of kafkajs meet an error of %s', async (api, error) => {
    const broker = await ordersBroker()
    const fault = broker.faults.fail(api, error, { transactionalId: 'tx' })
    const outcome = await transact(broker).then(
      () => 'committed',
      () => 'failed',
    )
    expect(fault.triggered).toBe(1)
    expect(await valuesOf(broker)).toEqual(outcome === 'committed' ? ['a'] : [])
  })

  async function transact(broker: TestBroker): Promise<void> {
    const producer = await kafkajsProducer(broker, {
      transactionalId: 'tx',
      maxInFlightRequests: 1,
      idempotent: true,
    })
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'orders', messages: [{ value: 'a' }] })
    await transaction.commit()
  }

  it.each([
    ['INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_EPOCH'],
    // kafkajs knows the codes up to Kafka 2.5.
    ['PRODUCER_FENCED', 'KAFKAJS_UNKNOWN_ERROR_CODE'],
  ] as const)('are fenced with %s', async (error, type) => {
    const broker = await ordersBroker()
    broker.faults.fail('EndTxn', error)
    await expect(transact(broker)).rejects.toMatchObject({ type })
    expect(await valuesOf(broker)).toEqual([])
  })
})

describe('administration', () => {
  it.each([
    ['CreateTopics', 'POLICY_VIOLATION'],
    ['CreateTopics', 'TOPIC_ALREADY_EXISTS'],
  ] as const)('%s fails with %s for both clients', async (api, error) => {
    const broker = await ordersBroker()
    broker.faults.fail(api, error, { topic: 'new', times: 2, message: 'no more topics' })
    const admin = kafkajs(broker).admin()
    await admin.connect()
    const topics = [{ topic: 'new' }, { topic: 'other' }]
    const created = await admin.createTopics({ topics }).catch((failure) => failure)
    if (error === 'POLICY_VIOLATION') expect(created.errors).toMatchObject([{ type: error }])
    else expect(created).toBe(false)
    await admin.disconnect()
    const failure = await platformaticAdmin(broker)
      .createTopics({ topics: ['new'] })
      .catch((each) => each)
    expect(JSON.stringify(failure.errors ?? failure) + String(failure.cause)).toMatch(/new|topic/i)
    expect(broker.faults.triggered).toHaveLength(2)
    expect(broker.faults.triggered.map(({ clientId }) => clientId)).toEqual([
      'kafkajs',
      'platformatic',
    ])
    await expect(broker.records('new')).rejects.toThrow(
      'topic new does not exist; existing topics: orders, other',
    )
  })

  it('Metadata and ListOffsets fail for one topic', async () => {
    const broker = await ordersBroker()
    const admin = kafkajs(broker, { retry: { retries: 0 } }).admin()
    await admin.connect()
    broker.faults.fail('Metadata', 'TOPIC_AUTHORIZATION_FAILED', { topic: 'orders' })
    await expect(admin.fetchTopicMetadata({ topics: ['orders'] })).rejects.toMatchObject({
      type: 'TOPIC_AUTHORIZATION_FAILED',
    })
    broker.faults.fail('ListOffsets', 'TOPIC_AUTHORIZATION_FAILED', {
      topic: 'orders',
      partition: 0,
    })
    await expect(admin.fetchTopicOffsets('orders')).rejects.toMatchObject({
      type: 'TOPIC_AUTHORIZATION_FAILED',
    })
    broker.faults.assertTriggered()
    expect(await admin.fetchTopicOffsets('orders')).toMatchObject([{ offset: '0' }])
    await admin.disconnect()
  })
})

describe('the consumer protocol', () => {
  it('meets an error of ConsumerGroupHeartbeat', async () => {
    const config = {
      'group.consumer.min.heartbeat.interval.ms': 10,
      'group.consumer.heartbeat.interval.ms': 20,
    }
    const broker = await startBroker({ topics: ['orders'], config })
    atEnd(() => broker.close())
    const { values } = await platformaticMember(broker, 'orders', { groupProtocol: 'consumer' })
    await broker.waitForGroup('group', { members: 1 })
    for (const error of ['COORDINATOR_LOAD_IN_PROGRESS', 'FENCED_MEMBER_EPOCH'] as const) {
      const fault = broker.faults.fail('ConsumerGroupHeartbeat', error, { groupId: 'group' })
      await fault.happened()
      await broker.produce('orders', [error])
      await eventually('the record', () => values.includes(error))
    }
  })
})
