// When batches are due: by the clock, one at a time, missed intervals merged; after a crash, the
// batch that was planned but not committed comes first.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BatchDecision, BatchScheduler } from '../../../engine/scheduler/batchScheduler.ts'
import { lagBehind, offsetsIn, planRanges } from '../../../engine/scheduler/rangePlan.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'

const intervalMs = 1000
const fresh = { batchIntervalMs: intervalMs, planned: undefined, committedBatchId: -1 }
/** The same limit for every partition. */
const upTo = (most: number) => () => most
const batch = (batchId: number, timeMs: number) => ({ batchId, timeMs, ranges: [] })

describe('batch times', () => {
  test('are multiples of the interval, one after another', () => {
    const scheduler = new BatchScheduler(fresh)
    expect(scheduler.next(10_300)).toEqual({ kind: 'plan', batchId: 0, timeMs: 10_000 })
    scheduler.finished({ batchId: 0, timeMs: 10_000 })
    expect(scheduler.next(10_400)).toEqual({ kind: 'wait', delayMs: 600 })
    expect(scheduler.next(11_000)).toEqual({ kind: 'plan', batchId: 1, timeMs: 11_000 })
  })

  test('missed intervals become one batch', () => {
    const scheduler = new BatchScheduler({
      ...fresh,
      planned: batch(6, 10_000),
      committedBatchId: 6,
    })
    expect(scheduler.next(3_600_000 + 10_500)).toEqual({
      kind: 'plan',
      batchId: 7,
      timeMs: 3_610_000,
    })
  })

  test('a clock that was set back delays a batch by one interval, and no longer', () => {
    const scheduler = new BatchScheduler({
      ...fresh,
      planned: batch(6, 90_000),
      committedBatchId: 6,
    })
    expect(scheduler.next(10_000)).toEqual({ kind: 'wait', delayMs: intervalMs })
    expect(scheduler.next(11_000)).toEqual({ kind: 'plan', batchId: 7, timeMs: 91_000 })
    scheduler.finished(batch(7, 91_000))
    expect(scheduler.next(11_100)).toEqual({ kind: 'wait', delayMs: intervalMs })
  })

  test('always advance, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 60 }), (times) => {
        const scheduler = new BatchScheduler(fresh)
        let latest: Extract<BatchDecision, { kind: 'plan' }> | undefined
        for (const nowMs of times) {
          const decision = scheduler.next(nowMs)
          if (decision.kind === 'wait') {
            expect(decision.delayMs).toBeGreaterThan(0)
            expect(decision.delayMs).toBeLessThanOrEqual(intervalMs)
          }
          if (decision.kind !== 'plan') continue
          expect(decision.batchId).toBe((latest?.batchId ?? -1) + 1)
          expect(decision.timeMs % intervalMs).toBe(0)
          expect(decision.timeMs).toBeGreaterThan(latest?.timeMs ?? -1)
          scheduler.finished(decision)
          latest = decision
        }
      }),
    )
  })
})

describe('recovery and stop', () => {
  test('a batch that was planned but not committed is rerun first, as planned', () => {
    const planned = batch(4, 7000)
    const scheduler = new BatchScheduler({ ...fresh, planned, committedBatchId: 3 })
    expect(scheduler.next(50_000)).toEqual({ kind: 'rerun', batch: planned })
    scheduler.finished(planned)
    expect(scheduler.next(50_000)).toEqual({ kind: 'plan', batchId: 5, timeMs: 50_000 })
  })

  test('an offset log and a commit log that do not match are refused', () => {
    expect(
      () => new BatchScheduler({ ...fresh, planned: batch(4, 7000), committedBatchId: 1 }),
    ).toThrow(/they do not match/)
  })

  test('only one batch runs at a time', () => {
    const scheduler = new BatchScheduler(fresh)
    scheduler.next(1000)
    expect(() => scheduler.next(2000)).toThrow(/one batch at a time/)
  })

  test('after stop there is no further batch, not even a rerun', () => {
    const scheduler = new BatchScheduler({ ...fresh, planned: batch(4, 7000), committedBatchId: 3 })
    scheduler.stop()
    expect(scheduler.next(8000)).toEqual({ kind: 'stop' })
  })

  test('a batch whose planning was abandoned keeps its id', () => {
    const scheduler = new BatchScheduler(fresh)
    scheduler.next(1000)
    scheduler.abandoned()
    expect(scheduler.next(2000)).toMatchObject({ kind: 'plan', batchId: 0 })
  })
})

describe('offset ranges', () => {
  const end = (partition: number, earliest: number, latest: number) => {
    return { topic: 'orders', partition, earliest, latest }
  }

  test('begin at the start of the log, then where the previous batch ended', () => {
    const first = planRanges([end(0, 5, 8)], [], upTo(100))
    expect(first).toEqual([{ topic: 'orders', partition: 0, from: 5, until: 8 }])
    expect(planRanges([end(0, 5, 9)], first, upTo(100))).toEqual([
      { topic: 'orders', partition: 0, from: 8, until: 9 },
    ])
  })

  test('are contiguous and bounded, and read everything once', () => {
    const growth = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { maxLength: 20 })
    fc.assert(
      fc.property(growth, fc.integer({ min: 1, max: 30 }), (grows, most) => {
        const latest = [0, 0]
        let previous: OffsetRange[] = []
        let read = 0
        for (const added of grows) {
          for (const at of [0, 1] as const) latest[at] = latest[at]! + added[at]
          const ends = latest.map((until, partition) => end(partition, 0, until))
          const ranges = planRanges(ends, previous, upTo(most))
          for (const { partition, from, until } of ranges) {
            expect(from).toBe(previous[partition]?.until ?? 0)
            expect(until - from).toBeLessThanOrEqual(most)
            expect(until).toBeLessThanOrEqual(latest[partition]!)
          }
          read += offsetsIn(ranges)
          expect(read + lagBehind(ends, ranges)).toBe(latest[0]! + latest[1]!)
          previous = ranges
        }
      }),
    )
  })

  test('belong to one topic: another topic with the same name is refused, whatever its offsets', () => {
    const of = (topicId: string | undefined, latest: number, partitions = 1) =>
      Array.from({ length: partitions }, (_, at) => ({ ...end(at, 0, latest), topicId }))
    const first = planRanges(of('one', 5), [], upTo(100), 'committed')
    expect(first).toEqual([
      { topic: 'orders', topicId: 'one', partition: 0, from: 0, until: 5, isolation: 'committed' },
    ])
    for (const latest of [0, 5, 500]) {
      expect(() => planRanges(of('two', latest), first, upTo(100))).toThrow(
        expect.objectContaining({
          code: 'TOPIC_RECREATED',
          message: expect.stringMatching(
            /topic orders with id one was deleted.* id two.*directory/,
          ),
        }),
      )
    }
    // Without an id, as in an old entry or from an old broker, the topics cannot be distinguished.
    expect(planRanges(of(undefined, 7), first, upTo(100))[0]).toMatchObject({ from: 5, until: 7 })
    const old = planRanges(of(undefined, 5), [], upTo(100))
    expect(planRanges(of('two', 7), old, upTo(100))[0]).toMatchObject({ from: 5, topicId: 'two' })
    const both = planRanges(of('one', 5, 2), [], upTo(100))
    expect(() => planRanges(of(undefined, 9, 1), both, upTo(100))).toThrow(
      /orders-1 does not exist/,
    )
    // The job no longer reads the topic of these ranges.
    expect(planRanges([{ ...end(0, 0, 3), topic: 'others' }], both, upTo(100))).toHaveLength(3)
  })

  test('wait for unstable records, and distinguish them from lost records', () => {
    const before = planRanges([end(0, 0, 9)], [], upTo(100), 'uncommitted')
    const unstable = { ...end(0, 0, 4), highWatermark: 12 }
    expect(planRanges([unstable], before, upTo(100), 'committed')[0]).toMatchObject({
      from: 9,
      until: 9,
    })
    expect(lagBehind([unstable], before)).toBe(0)
    const lost = { ...end(0, 0, 4), highWatermark: 8 }
    expect(() => planRanges([lost], before, upTo(100))).toThrow(/ends at offset 8.*read it up to 9/)
  })

  test('a new partition is read from its start', () => {
    const before = planRanges([end(0, 0, 3)], [], upTo(10))
    expect(planRanges([end(0, 0, 3), end(1, 2, 4)], before, upTo(10))).toEqual([
      { topic: 'orders', partition: 0, from: 3, until: 3 },
      { topic: 'orders', partition: 1, from: 2, until: 4 },
    ])
  })

  test('a log that ends below the offsets read is an error, not a wait', () => {
    const before = planRanges([end(0, 0, 10)], [], upTo(100))
    expect(() => planRanges([end(0, 0, 4)], before, upTo(100))).toThrow(
      expect.objectContaining({
        code: 'OFFSETS_LOST',
        message: expect.stringContaining('orders-0'),
      }),
    )
  })
})
