// The age of a channel's oldest event and the time since an event last left, as monitoring reads
// them. Reading never fails, in any state of the channel.

import { describe, expect, test } from 'vitest'
import type { Channel } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { component } from '../component.ts'
import { putBodies } from './putBodies.ts'

interface Made {
  readonly channel: Channel
  readonly clock: ManualClock
}

function made(type: 'file' | 'memory', clock = new ManualClock(), disk = new MemoryDisk()): Made {
  if (type === 'memory') {
    const channel = memoryChannel(component('channels', 'c1', { type }), clock)
    return { channel, clock }
  }
  const directories = {
    checkpointDir: '/checkpoint',
    dataDirs: '/data',
    minimumRequiredSpace: 1000,
  }
  const channel = fileChannel(component('channels', 'c1', { type, ...directories }), {
    ...{ clock, disk, scheduler: systemScheduler, logger: silentLogger },
    resolvePath: (path) => path,
  })
  return { channel, clock }
}

function put(channel: Channel, ...bodies: string[]): Promise<void> {
  return putBodies(channel, bodies)
}

describe.each(['file', 'memory'] as const)('a %s channel', (type) => {
  test('an event is as old as its put, and the channel stalls from the last event that left', async () => {
    const { channel, clock } = made(type)
    await channel.start()
    expect([channel.oldestEventMs, channel.stalledMs]).toEqual([0, 0])
    await put(channel, 'one')
    await clock.advanceAndSettle(1000)
    await put(channel, 'two')
    await clock.advanceAndSettle(500)
    expect([channel.oldestEventMs, channel.stalledMs]).toEqual([1500, 1500])
    const transaction = channel.transaction()
    transaction.begin()
    expect(transaction.oldestTakenMs()).toBe(0)
    await transaction.take(1)
    expect(transaction.oldestTakenMs()).toBe(1500)
    await transaction.commit()
    expect([channel.oldestEventMs, channel.stalledMs]).toEqual([500, 0])
    await channel.stop()
  })

  test('a channel that is stopped with events has no age, nor have its taken events', async () => {
    const { channel, clock } = made(type)
    await channel.start()
    await put(channel, 'one', 'two')
    const transaction = channel.transaction()
    transaction.begin()
    await transaction.take(1)
    await clock.advanceAndSettle(1000)
    await channel.stop()
    expect(channel.size).toBe(2)
    expect([channel.oldestEventMs, channel.stalledMs]).toEqual([0, 0])
    expect(() => transaction.oldestTakenMs()).not.toThrow()
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'CHANNEL_CLOSED' })
  })
})

test('the age of recovered events begins at the restart', async () => {
  const clock = new ManualClock()
  const disk = new MemoryDisk()
  const before = made('file', clock, disk).channel
  await before.start()
  await put(before, 'one')
  await before.stop()
  await clock.advanceAndSettle(1000)
  const { channel } = made('file', clock, disk)
  await channel.start()
  await clock.advanceAndSettle(10)
  expect([channel.size, channel.oldestEventMs, channel.stalledMs]).toEqual([1, 10, 10])
  await channel.stop()
})

test('events keep their age when a new agent takes over their memory channel', async () => {
  const { channel, clock } = made('memory')
  await channel.start()
  await put(channel, 'one')
  await clock.advanceAndSettle(1000)
  await channel.stop(true)
  await channel.start()
  await clock.advanceAndSettle(10)
  expect([channel.size, channel.oldestEventMs, channel.stalledMs]).toEqual([1, 1010, 10])
  await channel.stop()
})
