// Flume's rules for transactions and for the memory channel's limits.

import { describe, expect, test } from 'vitest'
import type { Channel } from '../../../agent/channels/channel.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { batchOf } from '../../../agent/event.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { component } from '../component.ts'
import { bodiesOf, putBodies } from './putBodies.ts'

const clock = new ManualClock()

async function opened(lines: Readonly<Record<string, string | number>> = {}): Promise<Channel> {
  const channel = memoryChannel(component('channels', 'c1', { type: 'memory', ...lines }), clock)
  await channel.start()
  return channel
}

async function begunTake(channel: Channel, max: number) {
  const transaction = channel.transaction()
  transaction.begin()
  const batches = await transaction.take(max)
  return { transaction, bodies: bodiesOf(batches) }
}

describe('a transaction', () => {
  test('fails with ILLEGAL_STATE when used out of order', async () => {
    const channel = await opened()
    const illegal = expect.objectContaining({ code: 'ILLEGAL_STATE' })
    const fresh = channel.transaction()
    expect(() => fresh.put(batchOf([]))).toThrow(illegal)
    await expect(fresh.take(1)).rejects.toEqual(illegal)
    await expect(fresh.commit()).rejects.toEqual(illegal)
    await expect(fresh.rollback()).rejects.toEqual(illegal)
    fresh.close()
    expect(() => fresh.begin()).toThrow(illegal)
    const begun = channel.transaction()
    begun.begin()
    expect(() => begun.begin()).toThrow(illegal)
    expect(() => begun.close()).toThrow(illegal)
    begun.put(batchOf([Buffer.from('x')]))
    await expect(begun.take(1)).rejects.toEqual(illegal)
    await begun.commit()
    await expect(begun.commit()).rejects.toEqual(illegal)
    begun.close()
    expect(() => begun.close()).toThrow(illegal)
  })

  test('holds no more than transactionCapacity', async () => {
    const channel = await opened({ capacity: 10, transactionCapacity: 3 })
    await expect(putBodies(channel, ['1', '2', '3', '4'])).rejects.toMatchObject({
      code: 'TRANSACTION_CAPACITY',
    })
    await putBodies(channel, ['1', '2', '3'])
    await putBodies(channel, ['4'])
    const { transaction, bodies } = await begunTake(channel, 10)
    expect(bodies).toEqual(['1', '2', '3'])
    await expect(transaction.take(1)).rejects.toMatchObject({ code: 'TRANSACTION_CAPACITY' })
  })
})

describe('rolled back takes', () => {
  test('go back to the head in the original order, whichever is rolled back first', async () => {
    const channel = await opened()
    await putBodies(channel, ['1', '2', '3', '4', '5', '6'])
    const first = await begunTake(channel, 2)
    const second = await begunTake(channel, 2)
    await first.transaction.rollback()
    await second.transaction.rollback()
    expect((await begunTake(channel, 10)).bodies).toEqual(['1', '2', '3', '4', '5', '6'])
  })
})

describe('a full channel', () => {
  test('refuses a put after keep-alive, and accepts it when slots are freed before', async () => {
    const channel = await opened({ capacity: 3, transactionCapacity: 3, 'keep-alive': 3 })
    await putBodies(channel, ['1', '2', '3'])
    const refused = putBodies(channel, ['4'])
    const outcome = expect(refused).rejects.toMatchObject({ code: 'CHANNEL_FULL' })
    await clock.advanceAndSettle(3000)
    await outcome
    const waiting = putBodies(channel, ['5'])
    await clock.advanceAndSettle(1000)
    const { transaction } = await begunTake(channel, 1)
    // A slot is free only when the take is committed: until then it may be rolled back.
    expect(channel.size).toBe(3)
    await transaction.commit()
    await waiting
    expect((await begunTake(channel, 10)).bodies).toEqual(['2', '3', '5'])
  })

  test('refuses puts at once when too many wait', async () => {
    const channel = await opened({ capacity: 1, transactionCapacity: 1 })
    await putBodies(channel, ['1'])
    const waiting = Array.from({ length: 4_096 }, () => putBodies(channel, ['x']))
    expect(channel.pendingPuts).toBe(4_096)
    await expect(putBodies(channel, ['y'])).rejects.toMatchObject({ code: 'CHANNEL_FULL' })
    const closed = expect(Promise.all(waiting)).rejects.toMatchObject({ code: 'CHANNEL_CLOSED' })
    await channel.stop()
    await closed
    expect(channel.pendingPuts).toBe(0)
  })

  test('counts bytes of bodies in slots of 100, at least one an event', async () => {
    const lines = { byteCapacity: 1000, byteCapacityBufferPercentage: 20, 'keep-alive': 0 }
    const channel = await opened(lines)
    await putBodies(channel, ['x'.repeat(101), '', '', '', '', ''])
    await putBodies(channel, ['last'])
    const refused = expect(putBodies(channel, ['over'])).rejects.toMatchObject({
      code: 'CHANNEL_FULL',
      message:
        'channel c1 is full (7 events use its byteCapacity): its sinks are slower than its sources; check the sinks or raise byteCapacity',
    })
    await clock.advanceAndSettle(1)
    await refused
    const { transaction } = await begunTake(channel, 1)
    await transaction.commit()
    await putBodies(channel, ['x'.repeat(200)])
  })
})

test('a take does not wait and is bounded by bytes', async () => {
  const channel = await opened()
  expect((await begunTake(channel, 5)).bodies).toEqual([])
  await putBodies(channel, ['x'.repeat(100), 'x'.repeat(100), 'x'.repeat(100)])
  const { bodies } = await (async () => {
    const transaction = channel.transaction()
    transaction.begin()
    const batches = await transaction.take(10, 260)
    return { bodies: batches.map((batch) => batch.count) }
  })()
  expect(bodies).toEqual([2])
})

test('transactionCapacity above capacity is a configuration error', () => {
  const lines = { type: 'memory', capacity: 10, transactionCapacity: 11 }
  expect(() => memoryChannel(component('channels', 'c1', lines), clock)).toThrow(
    /flume\.conf:4: a1\.channels\.c1\.transactionCapacity: transactionCapacity \(11\) exceeds capacity/,
  )
})
