// Interceptors and selectors preserve the ends of events in their file.

import { describe, expect, test } from 'vitest'
import { ChannelProcessor } from '../../agent/channelProcessor.ts'
import { memoryChannel } from '../../agent/channels/memoryChannel.ts'
import type { SourcePosition } from '../../agent/channels/sourcePosition.ts'
import { EventBatch } from '../../agent/event.ts'
import type { Interceptor } from '../../agent/interceptors/interceptor.ts'
import { SourceCounter } from '../../agent/monitoring/counters.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { component } from './component.ts'

/** `a`, `bb`, `ccc`, ... as a file has them from `base` on. */
function lines(from: number, until: number, base = 0): EventBatch {
  const bodies = Array.from({ length: until - from }, (_, n) =>
    String.fromCharCode(97 + from + n).repeat(from + n + 1),
  )
  const ranges: number[] = []
  const ends: number[] = []
  let at = 0
  for (const body of bodies) {
    ranges.push(at, at + body.length)
    at += body.length + 1
    ends.push(base + at)
  }
  const bytes = Buffer.from(bodies.map((body) => `${body}\n`).join(''))
  const { length } = bodies
  const own = Array.from({ length }, (_, n) => ({ n: String(from + n) }))
  return new EventBatch(
    bytes,
    Uint32Array.from(ranges),
    length,
    {},
    own,
    0,
    Float64Array.from(ends),
  )
}

function shown(batch: EventBatch) {
  return Array.from({ length: batch.count }, (_, n) => [
    batch.body(n).toString(),
    batch.sourceEnd(n),
    batch.headersOf(n),
  ])
}

describe('the ends of events in their file are preserved', () => {
  test('in slices, selections and batches with other headers', () => {
    const batch = lines(0, 5).slice(1, 5).withHeaders({ host: 'h' })
    const ccc = ['ccc', 9, { host: 'h', n: '2' }]
    expect(shown(batch.slice(1, 2))).toEqual([ccc])
    expect(shown(batch.select([1, 3]))).toEqual([ccc, ['eeeee', 20, { host: 'h', n: '4' }]])
    expect(shown(batch.select([]))).toEqual([])
  })

  test('in a batch with other bodies', () => {
    const batch = lines(0, 3).slice(1, 3)
    const longer = batch.withBodies([Buffer.from('longer than it was'), Buffer.from('')])
    expect(shown(longer)).toEqual([
      ['longer than it was', 5, { n: '1' }],
      ['', 9, { n: '2' }],
    ])
    expect(() => batch.withBodies([])).toThrow('every event gets one body')
  })
})

describe('a channel drops known events', () => {
  const position: Omit<SourcePosition, 'start' | 'end'> = {
    ...{ source: 'r1', device: 1, inode: 2, generation: 0, path: '/log' },
    fingerprint: { lengthBytes: 0, crc: 0 },
  }

  async function processed(interceptor: Interceptor) {
    const clock = new ManualClock()
    const channel = memoryChannel(component('channels', 'c1', { type: 'memory' }), clock)
    await channel.start()
    const selector = { required: [channel], optional: [], select: (batch: EventBatch) => batch }
    const counter = new SourceCounter()
    const processor = new ChannelProcessor([interceptor], selector, counter, silentLogger)
    const taken = async () => {
      const transaction = channel.transaction()
      transaction.begin()
      const batches = await transaction.take(100)
      await transaction.commit()
      return batches.flatMap((batch) => shown(batch).map(([body]) => body))
    }
    return { channel, processor, taken }
  }

  test('even if an interceptor dropped and changed some', async () => {
    const interceptor: Interceptor = (batch) => {
      const kept: number[] = []
      for (let n = 0; n < batch.count; n++) if (batch.body(n).length % 2 === 1) kept.push(n)
      const some = batch.select(kept)
      return some.withBodies(kept.map((_, n) => Buffer.from(`${some.body(n)}${some.body(n)}`)))
    }
    const { processor, taken } = await processed(interceptor)
    await processor.process(lines(0, 4), { ...position, start: 0, end: 14 })
    // The source reads the batch again from its start, and more lines, because another channel had
    // no room for it.
    await processor.process(lines(0, 7), { ...position, start: 0, end: 35 })
    expect(await taken()).toEqual(['aa', 'cccccc', 'eeeeeeeeee', 'gggggggggggggg'])
  })

  test('and gets the position of a batch in which it has no events', async () => {
    const { channel, processor, taken } = await processed((batch) =>
      batch.body(0).toString() === 'ccc' ? batch.select([]) : batch,
    )
    await processor.process(lines(0, 2), { ...position, start: 0, end: 5 })
    await processor.process(lines(2, 4, 5), { ...position, start: 5, end: 14 })
    await processor.process(lines(4, 5, 14), { ...position, start: 14, end: 20 })
    expect(channel.lastPosition('r1', position)).toMatchObject({ end: 20 })
    expect(await taken()).toEqual(['a', 'bb', 'eeeee'])
    expect(channel.safePosition('r1', position)).toMatchObject({ end: 20 })
  })
})
