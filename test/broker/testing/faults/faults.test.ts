// The rules of faults: which requests they apply to, in which order they trigger, how they are
// inspected, and which mistakes are errors.

import { describe, expect, it } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing/testing.ts'
import { KafkaConnection } from '../../../../protocol/client/cluster/connection.ts'
import { heartbeat } from '../../../../protocol/kafka/apis/heartbeat.ts'
import { listOffsets } from '../../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { errorName } from '../../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../../protocol/kafka/schema/fields.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { eventually } from '../../../interop/eventually.ts'
import { batchOf } from '../../server/memoryBroker.ts'
import { atEnd } from '../clients.ts'

async function startOrders(): Promise<TestBroker> {
  const broker = await startBroker({ topics: [{ name: 'orders', partitions: 2 }, 'more'] })
  atEnd(() => broker.close())
  return broker
}

async function connect({ host, port }: TestBroker, clientId = 'raw'): Promise<KafkaConnection> {
  const runtime = { clock: systemClock, network: tcpNetwork }
  const options = { clientId, requestTimeoutMs: 5000 }
  const connection = await KafkaConnection.connect(runtime, { host, port }, options)
  atEnd(async () => connection.close())
  return connection
}

/** The error names of an answer to ListOffsets, by partition. */
async function offsetsErrors(connection: KafkaConnection, ...places: [string, number][]) {
  const topics = places.map(([name, partitionIndex]) => ({
    name,
    partitions: [{ partitionIndex, timestamp: -1 }],
  }))
  const answer = await connection.send(listOffsets, { replicaId: -1, isolationLevel: 0, topics })
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map((each) => `${name}-${each.partitionIndex} ${errorName(each.errorCode)}`),
  )
}

function send(connection: KafkaConnection, value: string, acks = -1) {
  const partitionData = [{ index: 0, records: batchOf(value) }]
  return connection.send(
    produce,
    { acks, timeoutMs: 1000, topicData: [{ name: 'orders', partitionData }] },
    { version: 9 },
  )
}

async function valuesOf(broker: TestBroker): Promise<(string | null)[]> {
  return (await broker.records('orders')).map(({ value }) => value)
}

describe('a fault', () => {
  it('triggers once, or `times` times, after the skipped requests', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const ask = () => offsetsErrors(connection, ['orders', 0])
    broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR')
    expect([await ask(), await ask()]).toEqual([
      ['orders-0 UNKNOWN_SERVER_ERROR'],
      ['orders-0 NONE'],
    ])
    const fault = broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR', { times: 2, skip: 1 })
    const answers = [await ask(), await ask(), await ask(), await ask()].flat()
    expect(answers.map((each) => each.slice(9))).toEqual([
      'NONE',
      'UNKNOWN_SERVER_ERROR',
      'UNKNOWN_SERVER_ERROR',
      'NONE',
    ])
    expect(fault).toMatchObject({ triggered: 2, isOver: true })
  })

  it('triggers before a newer fault of its kind', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    broker.faults.fail('ListOffsets', 'NOT_LEADER_OR_FOLLOWER')
    broker.faults.fail('ListOffsets', 'OFFSET_NOT_AVAILABLE')
    const ask = () => offsetsErrors(connection, ['orders', 0])
    expect([...(await ask()), ...(await ask())]).toEqual([
      'orders-0 NOT_LEADER_OR_FOLLOWER',
      'orders-0 OFFSET_NOT_AVAILABLE',
    ])
  })

  it('can apply to one partition of one topic', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const options = { topic: 'orders', partition: 1 }
    const fault = broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR', options)
    expect(await offsetsErrors(connection, ['orders', 0], ['more', 0])).not.toContain('ERROR')
    expect(fault.triggered).toBe(0)
    const errors = await offsetsErrors(connection, ['orders', 0], ['orders', 1], ['more', 0])
    expect(errors.sort()).toEqual(['more-0 NONE', 'orders-0 NONE', 'orders-1 UNKNOWN_SERVER_ERROR'])
  })

  it('can apply to one client', async () => {
    const broker = await startOrders()
    broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR', { clientId: 'one' })
    const [one, two] = [await connect(broker, 'one'), await connect(broker, 'two')]
    expect(await offsetsErrors(two, ['orders', 0])).toEqual(['orders-0 NONE'])
    expect(await offsetsErrors(one, ['orders', 0])).toEqual(['orders-0 UNKNOWN_SERVER_ERROR'])
  })

  it('can apply to one group', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    broker.faults.fail('Heartbeat', 'NOT_COORDINATOR', { groupId: 'one' })
    const beat = async (groupId: string) => {
      const request = { groupId, generationId: 1, memberId: 'm' }
      return errorName((await connection.send(heartbeat, request)).errorCode)
    }
    expect([await beat('two'), await beat('one'), await beat('one')]).toEqual([
      'UNKNOWN_MEMBER_ID',
      'NOT_COORDINATOR',
      'UNKNOWN_MEMBER_ID',
    ])
  })

  it('for a topic also applies to a request for all topics', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    broker.faults.fail('Metadata', 'LEADER_NOT_AVAILABLE', { topic: 'more' })
    const { topics, brokers } = await connection.send(metadata, { topics: null })
    expect(brokers).toHaveLength(1)
    expect(topics.map(({ name, errorCode }) => `${name} ${errorName(errorCode)}`).sort()).toEqual([
      'more LEADER_NOT_AVAILABLE',
      'orders NONE',
    ])
  })

  it('does not trigger after it was removed, nor after all were cleared', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const fault = broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR')
    fault.remove()
    fault.remove()
    broker.faults.disconnect('ListOffsets', { times: Number.POSITIVE_INFINITY })
    await broker.faults.fullDisk()
    await broker.faults.clear()
    expect(await offsetsErrors(connection, ['orders', 0])).toEqual(['orders-0 NONE'])
    expect(broker.faults.pending).toEqual([])
    expect(fault).toMatchObject({ triggered: 0, isOver: true })
    await broker.produce('orders', ['a'])
  })

  it('survives a restart', async () => {
    const broker = await startOrders()
    const fault = broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR')
    await broker.restart()
    const connection = await connect(broker)
    expect(await offsetsErrors(connection, ['orders', 0])).toEqual([
      'orders-0 UNKNOWN_SERVER_ERROR',
    ])
    expect(fault.triggered).toBe(1)
  })

  it("does not apply to the test's own calls", async () => {
    const broker = await startOrders()
    broker.faults.disconnect(undefined, { times: Number.POSITIVE_INFINITY })
    broker.faults.fail('Produce', 'UNKNOWN_SERVER_ERROR')
    await broker.produce('orders', [{ value: 'a', partition: 0 }])
    await broker.createTopic('another')
    expect(await valuesOf(broker)).toEqual(['a'])
    expect(broker.faults.triggered).toEqual([])
  })
})

describe('a request', () => {
  it('that is delayed stays before later requests of its connection', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const fault = broker.faults.delay('Produce', Number.POSITIVE_INFINITY)
    const sent = Promise.all(['a', 'b', 'c'].map((value) => send(connection, value)))
    await fault.happened()
    const other = await connect(broker)
    await send(other, 'first')
    fault.remove()
    await sent
    await send(connection, 'last')
    expect(await valuesOf(broker)).toEqual(['first', 'a', 'b', 'c', 'last'])
  })

  it('is not handled when its client disconnects during the delay', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const fault = broker.faults.delay('Produce', Number.POSITIVE_INFINITY)
    const sent = expect(send(connection, 'given up')).rejects.toThrow()
    await fault.happened()
    expect(broker.connectedClients).toEqual(['raw'])
    connection.close()
    await sent
    await eventually('the broker knows', () => broker.connectedClients.length === 0)
    fault.remove()
    await send(await connect(broker), 'b')
    expect(await valuesOf(broker)).toEqual(['b'])
  })

  it('can be delayed, handled and answered with an error', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const late = broker.faults.delay('Produce', Number.POSITIVE_INFINITY, { after: true })
    broker.faults.fail('Produce', 'REQUEST_TIMED_OUT', { after: true, message: 'too late' })
    const sent = send(connection, 'a')
    await broker.waitForRecords('orders', 1)
    late.remove()
    const { responses } = await sent
    expect(responses[0]!.partitionResponses[0]).toMatchObject({
      errorCode: 7,
      errorMessage: 'too late',
      baseOffset: -1,
    })
    expect(broker.faults.triggered.map(({ api }) => api)).toEqual(['Produce', 'Produce'])
  })

  it('with acks=0 loses its connection instead of getting an error', async () => {
    const broker = await startOrders()
    for (const after of [false, true]) {
      const connection = await connect(broker)
      broker.faults.fail('Produce', 'NOT_LEADER_OR_FOLLOWER', { after })
      await expect(send(connection, `after: ${after}`, 0)).rejects.toThrow(/closed|broke/)
    }
    expect(await valuesOf(broker)).toEqual(['after: true'])
  })

  it('that is delayed does not delay closing the broker', async () => {
    const broker = await startOrders()
    const fault = broker.faults.delay('Produce', Number.POSITIVE_INFINITY)
    const connection = await connect(broker)
    const sent = expect(send(connection, 'a')).rejects.toThrow()
    await fault.happened()
    await broker.close()
    await sent
  })
})

describe('inspection', () => {
  it('lists triggered and pending faults', async () => {
    const broker = await startOrders()
    const { faults } = broker
    const connection = await connect(broker, 'me')
    const fault = faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR', { topic: 'orders' })
    faults.delay('Fetch', 20, { times: 3, skip: 1, after: true })
    faults.disconnect()
    expect(faults.pending.map(({ description }) => description)).toEqual([
      'ListOffsets fails with UNKNOWN_SERVER_ERROR (topic orders)',
      'Fetch is delayed by 20 ms (once it is done, 3 times, after the first 1)',
      'the connection of any request is closed',
    ])
    expect(() => faults.assertTriggered()).toThrow(
      'these faults never happened: ListOffsets fails with UNKNOWN_SERVER_ERROR (topic orders); Fetch',
    )
    await expect(offsetsErrors(connection, ['orders', 0])).rejects.toThrow()
    expect(faults.pending).toHaveLength(1)
    expect(() => faults.assertTriggered()).toThrow('these faults never happened: Fetch is delayed')
    const [first] = faults.triggered
    expect(first).toMatchObject({ fault, api: 'ListOffsets', clientId: 'me' })
    expect(Math.abs(first!.atMs - Date.now())).toBeLessThan(60_000)
  })

  it('waits until a fault has triggered', async () => {
    const broker = await startOrders()
    const connection = await connect(broker)
    const fault = broker.faults.fail('ListOffsets', 'UNKNOWN_SERVER_ERROR', { times: 2 })
    await offsetsErrors(connection, ['orders', 0])
    await fault.happened()
    await expect(fault.happened(2, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message:
        'timed out after 20 ms waiting for ListOffsets fails with UNKNOWN_SERVER_ERROR (2 times): 1 of 2 times so far',
    })
  })
})

describe('mistakes', () => {
  type Ask = (faults: TestBroker['faults']) => unknown
  const cases: readonly (readonly [Ask, RegExp])[] = [
    [
      (f) => f.fail('Produse' as never, 'NOT_COORDINATOR'),
      /Produse can be failed: did you mean Produce\?; there are AddO/,
    ],
    [
      (f) => f.fail('SaslHandshake' as never, 'NOT_COORDINATOR'),
      /no API of the name SaslHandshake can be failed/,
    ],
    [
      (f) => f.fail('Produce', 'NOT_LEADER' as never),
      /unknown Kafka error NOT_LEADER; known are UNKNOWN_SERVER/,
    ],
    [(f) => f.fail('Produce', 'NOT_COORDINATR' as never), /did you mean NOT_COORDINATOR\?/],
    [(f) => f.fail('Produce', 'NONE' as never), /unknown Kafka error NONE/],
    [(f) => f.delay('fetch', 5), /no API of the name fetch is served: did you mean Fetch\?/],
    [(f) => f.delay('Fetch', -1), /ms is -1, but must be 0 or more/],
    [(f) => f.delay('Fetch', Number.NaN), /ms is NaN/],
    [(f) => f.disconnect('Fetch', { times: 0 }), /times is 0, but must be 1 or more, or Infinity/],
    [(f) => f.disconnect('Fetch', { skip: -1 }), /skip is -1, but must be 0 or more/],
    [(f) => f.disconnect({ times: 2 } as never), /give the API before the options/],
    [
      (f) => f.disconnect('Fetch', { time: 2 } as never),
      /unknown fault option time: did you mean times\?/,
    ],
    [
      (f) => f.fail('Heartbeat', 'NOT_COORDINATOR', { topic: 'x' }),
      /Heartbeat with NOT_COORDINATOR is not for one topic/,
    ],
    [
      (f) => f.fail('Metadata', 'NOT_COORDINATOR', { topic: 'x', partition: 1 }),
      /is not for one partition/,
    ],
    [
      (f) => f.fail('Produce', 'NOT_COORDINATOR', { groupId: 'x' }),
      /is not for one groupId: remove groupId/,
    ],
    [
      (f) => f.fail('Fetch', 'NOT_COORDINATOR', { transactionalId: 'x' }),
      /is not for one transactionalId/,
    ],
    [(f) => f.fail('Produce', 'NOT_COORDINATOR', { partition: 1 }), /partition needs a topic/],
  ]

  it.each(cases)('%s', async (ask, message) => {
    const broker = await startOrders()
    let error: unknown
    try {
      ask(broker.faults)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(broker.faults.pending).toEqual([])
  })

  it('a fault of a closed broker is refused', async () => {
    const broker = await startOrders()
    await broker.close()
    expect(() => broker.faults.disconnect()).toThrow('the broker is closed: start another one')
    await expect(broker.faults.fullDisk()).rejects.toThrow('the broker is closed')
  })
})

it('a topic id stands for its topic', async () => {
  const broker = await startOrders()
  const connection = await connect(broker)
  const ask = async (topic: { name: string | null; topicId: string }) =>
    (await connection.send(metadata, { topics: [topic] })).topics[0]!
  const { topicId } = await ask({ name: 'more', topicId: zeroUuid })
  broker.faults.fail('Metadata', 'LEADER_NOT_AVAILABLE', { topic: 'more' })
  expect(await ask({ name: null, topicId })).toMatchObject({ topicId, errorCode: 5 })
  expect(await ask({ name: null, topicId })).toMatchObject({ name: 'more', errorCode: 0 })
})
