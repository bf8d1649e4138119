// A source with required and optional channels.

import { describe, expect, test } from 'vitest'
import { ChannelProcessor } from '../../../agent/channelProcessor.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { batchOf } from '../../../agent/event.ts'
import { SourceCounter } from '../../../agent/monitoring/counters.ts'
import { replicatingSelector } from '../../../agent/selectors/replicatingSelector.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { component } from '../component.ts'

const dropped = 'optional channel refused events: dropped'

/** Two channels of 10 events each; the channels named in `optional` may lose events. */
async function rig(optional: string) {
  const clock = new ManualClock()
  const options = { type: 'memory', capacity: 10, transactionCapacity: 10 }
  const [c1, c2] = ['c1', 'c2'].map((name) =>
    memoryChannel(component('channels', name, options), clock),
  )
  await c1!.start()
  await c2!.start()
  const source = component('sources', 'r1', { type: 'exec', 'selector.optional': optional })
  const logger = new MemoryLogger()
  const counter = new SourceCounter()
  const selected = replicatingSelector(source, [c1!, c2!])
  const processor = new ChannelProcessor([], selected, counter, logger)
  const put = (events: number) =>
    processor.process(batchOf(Array.from({ length: events }, () => Buffer.from('x'))))
  return { clock, c1: c1!, c2: c2!, logger, counter, put }
}

describe('an optional channel', () => {
  test('that is full blocks no other channel; its events are dropped and logged', async () => {
    const { clock, c1, c2, logger, counter, put } = await rig('c2')
    await put(6)
    const take = c1.transaction()
    take.begin()
    await take.take(6)
    await take.commit()
    take.close()
    // c2 has no room for these events, and the source continues immediately: no time passes.
    await put(6)
    expect([c1.size, c2.size]).toEqual([6, 6])
    await clock.advanceAndSettle(3000)
    expect(logger.lines).toMatchObject([
      {
        level: 'warn',
        message: dropped,
        fields: { channel: 'c2', events: 6, error: { code: 'CHANNEL_FULL' } },
      },
    ])
    expect(counter).toMatchObject({ EventAcceptedCount: 12, ChannelWriteFail: 0 })
  })

  test('that is closed does not affect the others; its events are dropped and logged', async () => {
    const { c1, c2, logger, put } = await rig('c2')
    await c2.stop()
    await put(3)
    await put(3)
    expect(c1.size).toBe(6)
    expect(logger.messages('warn')).toEqual([dropped, dropped])
  })

  test('queues a bounded number of batches while it is full', async () => {
    const { clock, c1, c2, logger, put } = await rig('c1 c2')
    await put(10)
    for (let batch = 0; batch < 100; batch++) await put(1)
    await clock.advanceAndSettle(0)
    // 64 batches wait for each of the two channels; the other 36 are dropped immediately.
    expect(logger.messages('warn')).toHaveLength(2 * 36)
    await clock.advanceAndSettle(3000)
    expect(logger.messages('warn')).toHaveLength(2 * 100)
    expect([c1.size, c2.size]).toEqual([10, 10])
    for (const channel of [c1, c2]) {
      const take = channel.transaction()
      take.begin()
      await take.take(10)
      await take.commit()
      take.close()
    }
    await put(2)
    expect([c1.size, c2.size]).toEqual([2, 2])
    expect(logger.messages('warn')).toHaveLength(2 * 100)
  })
})

test('a full required channel fails the put, even if the optional one accepts it', async () => {
  const { clock, c1, c2, counter, put } = await rig('c2')
  await put(6)
  const take = c2.transaction()
  take.begin()
  await take.take(6)
  await take.commit()
  take.close()
  const putting = expect(put(6)).rejects.toMatchObject({ code: 'CHANNEL_FULL' })
  await clock.advanceAndSettle(3000)
  await putting
  expect([c1.size, c2.size]).toEqual([6, 6])
  expect(counter).toMatchObject({ EventAcceptedCount: 6, ChannelWriteFail: 1 })
})

test('an optional channel that the source does not have is a configuration error', () => {
  const source = component('sources', 'r1', { type: 'exec', 'selector.optional': 'c9' })
  expect(() => replicatingSelector(source, [])).toThrow(/c9 is not a channel of this source/)
})
