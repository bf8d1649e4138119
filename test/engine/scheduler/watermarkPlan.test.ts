// Watermarks by hand and by property: whatever the batches, pauses and uneven reading, a record
// whose disorder is within the delay is never behind the watermark of its batch, unless its
// partition was idle.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WatermarkSpec } from '../../../engine/contract/statefulOperator.ts'
import type { EventTime } from '../../../engine/executor/task.ts'
import {
  type EventTimes,
  mergeEventTimes,
  planWatermarks,
  type Watermarks,
} from '../../../engine/scheduler/watermarkPlan.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'

const spec: WatermarkSpec = { uid: 'w', delayMs: 10, idleTimeoutMs: 5000, topics: ['t'] }

interface Planned {
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  readonly watermarks: Watermarks
}

/** A topic in memory, whose records are event times; a job that reads it batch by batch. */
class Reading {
  readonly log: (number | undefined)[][]
  readonly spec: WatermarkSpec
  previous: Planned | undefined
  eventTimes: EventTimes | undefined
  readonly #visible: number[]

  constructor(partitions: number, given = spec) {
    this.log = Array.from({ length: partitions }, () => [])
    this.#visible = this.log.map(() => 0)
    this.spec = given
  }

  append(partition: number, ...times: (number | undefined)[]): void {
    this.log[partition]!.push(...times)
    this.#visible[partition] = this.log[partition]!.length
  }

  /** Plans a batch that reads at most `most(partition)`, and commits it. */
  batch(timeMs: number, most: (partition: number) => number = () => Infinity): Planned {
    const ends = this.#visible.map((latest, partition) => {
      return { topic: 't', partition, earliest: 0, latest }
    })
    const ranges = ends.map(({ topic, partition, latest }) => {
      const from = this.previous?.ranges[partition]?.until ?? 0
      return { topic, partition, from, until: Math.min(latest, from + most(partition)) }
    })
    const { eventTimes, previous } = this
    const specs = [this.spec]
    const plan = { specs, timeMs, ranges, ends, eventTimes, previous }
    const watermarks = planWatermarks(plan)
    // A rerun has the same logs and gets the same watermarks.
    expect(planWatermarks(plan)).toEqual(watermarks)
    const batch = { timeMs, ranges, watermarks }
    const previousMs = previous?.timeMs
    this.eventTimes = mergeEventTimes(specs, eventTimes, batch, this.#noted(ranges), previousMs)
    this.previous = batch
    return batch
  }

  #noted(ranges: readonly OffsetRange[]): EventTime[] {
    return ranges.flatMap(({ topic, partition, from, until }) =>
      this.log[partition]!.slice(from, until).flatMap((timeMs) =>
        timeMs === undefined ? [] : { watermark: 'w', source: `${topic}-${partition}`, timeMs },
      ),
    )
  }
}

describe('a watermark', () => {
  test('is the event time that earlier batches have read, minus the delay', () => {
    const reading = new Reading(1)
    reading.append(0, 100, 90)
    expect(reading.batch(1000).watermarks).toEqual({})
    reading.append(0, 300)
    expect(reading.batch(2000).watermarks).toEqual({ w: 90 })
    expect(reading.batch(3000).watermarks).toEqual({ w: 290 })
  })

  test('is held back by the slowest partition that is not idle', () => {
    const reading = new Reading(2)
    reading.append(0, 100)
    reading.append(1, 500)
    reading.batch(1000)
    expect(reading.batch(2000).watermarks).toEqual({ w: 90 })
    reading.append(1, 600)
    reading.batch(5000)
    expect(reading.batch(5999).watermarks).toEqual({ w: 90 })
    expect(reading.batch(6000).watermarks).toEqual({ w: 590 })
    // A record of a partition that was idle is behind the watermark, which does not go back.
    reading.append(0, 200)
    reading.batch(7000)
    expect(reading.batch(8000).watermarks).toEqual({ w: 590 })
  })

  test('is held back by unread records, including those of a partition that was never read', () => {
    const reading = new Reading(2)
    reading.append(0, 100)
    reading.append(1, 50)
    // Partition 1 is not read for several hours of nominal time.
    for (let hour = 0; hour < 3; hour++) {
      const { watermarks } = reading.batch(hour * 3600_000, (at) => (at === 1 ? 0 : 9))
      expect(watermarks).toEqual({})
      reading.append(0, 200 + hour)
    }
    reading.batch(4 * 3600_000)
    expect(reading.batch(4 * 3600_000 + 1000).watermarks).toEqual({ w: 40 })
  })

  test('waits for an empty partition as long as for a partition that became idle, counted from the first batch', () => {
    const reading = new Reading(2)
    reading.append(0, 100)
    reading.batch(1000)
    reading.append(0, 100)
    expect(reading.batch(5000).watermarks).toEqual({})
    expect(reading.batch(6000).watermarks).toEqual({ w: 90 })
  })

  test('skips a partition whose records give no event times, but not because of a pause', () => {
    const reading = new Reading(2)
    const step = (timeMs: number) => {
      reading.append(0, timeMs)
      reading.append(1, undefined)
      return reading.batch(timeMs).watermarks
    }
    reading.append(1, 1)
    step(1000)
    expect(step(2000)).toEqual({ w: -9 })
    // A pause of four hours does not count as four hours without an event time.
    expect(step(4 * 3600_000)).toEqual({ w: -9 })
    const other = new Reading(2)
    for (let second = 1; second <= 8; second++) {
      other.append(0, second * 1000)
      other.append(1, undefined)
      other.batch(second * 1000)
    }
    expect(other.previous!.watermarks).toEqual({ w: 7000 - 10 })
  })

  test('does not skip a partition because of a pause between records without event times', () => {
    const reading = new Reading(2)
    const step = (timeMs: number, ofPartition1: number | undefined) => {
      reading.append(0, timeMs)
      reading.append(1, ofPartition1)
      return reading.batch(timeMs).watermarks.w
    }
    step(1000, 1)
    // The first batch after the pause and the batch before it each count as one second of records:
    // their real time spans are unknown.
    step(2000, undefined)
    const afterMs = 4 * 3600_000
    step(afterMs, undefined)
    expect(step(afterMs + 1000, undefined)).toBe(-9)
    // A partition whose records never give a time does not hold back the watermark forever, however
    // long batches take.
    step(afterMs + 60_000, undefined)
    expect(step(afterMs + 120_000, undefined)).toBe(afterMs + 60_000 - 10)
  })

  test('advances to the largest time when all partitions are idle', () => {
    for (const inOneBatch of [true, false]) {
      const reading = new Reading(2)
      reading.append(0, 100)
      reading.append(1, 500)
      if (inOneBatch) reading.batch(2000)
      else {
        reading.batch(1000, (at) => (at === 0 ? 1 : 0))
        reading.batch(2000)
      }
      expect(reading.batch(60_000).watermarks).toEqual({ w: 490 })
    }
  })

  test('ignores other topics, and an earlier watermark with the same uid', () => {
    const ends = [
      { topic: 't', partition: 0, earliest: 0, latest: 5 },
      { topic: 'u', partition: 0, earliest: 0, latest: 5 },
    ]
    const ranges = ends.map(({ topic, partition }) => ({ topic, partition, from: 5, until: 5 }))
    const eventTimes = {
      w: { 't-0': { timeMs: 100, batchTimeMs: 0 }, 'u-0': { timeMs: 7, batchTimeMs: 0 } },
    }
    const previous = { timeMs: 0, ranges, watermarks: { w: 80, removed: 3 } }
    const plan = { timeMs: 1, ranges, ends, eventTimes, previous }
    expect(planWatermarks({ ...plan, specs: [spec] })).toEqual({ w: 90, removed: 3 })
    const only = { ...plan, eventTimes: { w: { 't-0': { timeMs: 100, batchTimeMs: 0 } } } }
    expect(planWatermarks({ ...only, specs: [{ ...spec, topics: ['u'] }] })).toEqual({ removed: 3 })
  })

  test('does not count a recomputed earlier batch as activity of a partition', () => {
    const ranges = [{ topic: 't', partition: 0, from: 5, until: 5 }]
    const before = { w: { 't-0': { timeMs: 100, batchTimeMs: 1000 } } }
    const noted = [{ watermark: 'w', source: 't-0', timeMs: 90 }]
    expect(mergeEventTimes([spec], before, { timeMs: 9000, ranges }, noted, 8000)).toEqual(before)
    expect(mergeEventTimes([], before, { timeMs: 9000, ranges }, [], 8000)).toBe(before)
  })
})

describe('the watermark of a union', () => {
  const idleTimeoutMs = 5000
  const specs: readonly WatermarkSpec[] = [
    { uid: 'a', delayMs: 0, idleTimeoutMs, topics: ['a'] },
    { uid: 'b', delayMs: 10, idleTimeoutMs, topics: ['b'] },
    { uid: 'a+b', delayMs: 10, idleTimeoutMs: 0, topics: [], of: ['a', 'b'] },
  ]

  /**
   * Runs batches over one partition of each topic, with the event times that each batch reads.
   * Returns the watermarks of the union.
   */
  function run(batches: readonly (readonly [timeMs: number, a: number[], b: number[]])[]) {
    const counts = { a: 0, b: 0 }
    let previous: Planned | undefined
    let eventTimes: EventTimes | undefined
    return batches.map(([timeMs, a, b]) => {
      const ranges = Object.entries({ a, b }).map(([topic, { length }]) => {
        const from = counts[topic as 'a' | 'b']
        counts[topic as 'a' | 'b'] += length
        return { topic, partition: 0, from, until: from + length }
      })
      const ends = ranges.map(({ topic, until }) => {
        return { topic, partition: 0, earliest: 0, latest: until }
      })
      const watermarks = planWatermarks({ specs, timeMs, ranges, ends, eventTimes, previous })
      const noted = Object.entries({ a, b }).flatMap(([watermark, times]) =>
        times.map((each) => ({ watermark, source: `${watermark}-0`, timeMs: each })),
      )
      const batch = { timeMs, ranges, watermarks }
      eventTimes = mergeEventTimes(specs, eventTimes, batch, noted, previous?.timeMs)
      previous = batch
      return watermarks['a+b']
    })
  }

  test('is the smallest watermark of its streams', () => {
    expect(
      run([
        [1000, [100], []],
        [2000, [200], [90]],
        [3000, [300], [150]],
        [4000, [], [400]],
        [5000, [], []],
      ]),
    ).toEqual([undefined, undefined, 80, 140, 300])
  })

  test('skips an idle stream, does not go back when the stream becomes active, and then waits for that stream again', () => {
    expect(
      run([
        [1000, [100], [100]],
        [4000, [500], []],
        [5999, [600], []],
        [6000, [700], []],
        [7000, [800], [200]],
        [8000, [900], [950]],
        [9000, [], []],
      ]),
    ).toEqual([undefined, 90, 90, 600, 600, 600, 900])
  })

  test('skips a topic that never had a record', () => {
    expect(
      run([
        [1000, [100], []],
        [5000, [200], []],
        [6000, [300], []],
      ]),
    ).toEqual([undefined, undefined, 200])
  })

  test('is the largest watermark of its streams when all streams are idle', () => {
    expect(
      run([
        [1000, [100], [500]],
        [60_000, [], []],
      ]),
    ).toEqual([undefined, 490])
  })

  test('has no event times of its own, and is kept when the code uses single streams again', () => {
    expect(mergeEventTimes(specs, undefined, { timeMs: 1, ranges: [] }, [], undefined)).toEqual({
      a: {},
      b: {},
    })
  })
})

describe('in any history', () => {
  const pauses = [1000, 1000, 1000, 4000, 240_000, 4 * 3600_000]
  const history = fc.record({
    partitions: fc.integer({ min: 1, max: 4 }),
    /** Offset of the clock of each partition, in ms. */
    skews: fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 4, maxLength: 4 }),
    steps: fc.array(
      fc.record({
        pauseMs: fc.constantFrom(...pauses),
        /** Records that arrive in each partition, each with its disorder in ms. */
        arrivals: fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 4, maxLength: 4 }),
        /** Maximum number of records that the batch reads from each partition. */
        most: fc.array(fc.nat(6), { minLength: 4, maxLength: 4 }),
      }),
      { maxLength: 40, size: 'max' },
    ),
  })
  const disorderMs = 20

  /**
   * Runs a history; `judge` is called with each record. A partition that gets a record at every
   * step is steady: when all partitions are steady, none is ever idle.
   */
  function replay(
    { partitions, skews, steps }: typeof history extends fc.Arbitrary<infer H> ? H : never,
    { isSteady }: { isSteady: boolean },
    judge: (late: boolean, wasIdle: boolean) => void,
  ): void {
    const given = { ...spec, delayMs: disorderMs, idleTimeoutMs: 5000 }
    const reading = new Reading(partitions, given)
    const greatest = new Array<number>(partitions).fill(-Infinity)
    /**
     * Nominal time of the newest batch with a record of the partition; before the first record,
     * nominal time of the first batch.
     */
    const alive = new Array<number | undefined>(partitions).fill(undefined)
    const wasIdle = new Array<boolean>(partitions).fill(false)
    let nowMs = 1_000_000
    for (const { pauseMs, arrivals, most } of steps) {
      for (let at = 0; at < partitions; at++) {
        const disorders = isSteady && arrivals[at]!.length === 0 ? [0] : arrivals[at]!
        for (const [index, disorder] of disorders.entries()) {
          const inOrder = nowMs - skews[at]! + Math.floor((index * pauseMs) / disorders.length)
          greatest[at] = Math.max(greatest[at]!, inOrder)
          reading.append(at, Math.max(inOrder, greatest[at]!) - disorder)
        }
      }
      nowMs += pauseMs
      const lags = reading.log.map(
        ({ length }, at) => length - (reading.previous?.ranges[at]?.until ?? 0),
      )
      for (let at = 0; at < partitions; at++) {
        if (
          lags[at] === 0 &&
          alive[at] !== undefined &&
          nowMs - alive[at]! >= given.idleTimeoutMs
        ) {
          wasIdle[at] = true
        }
      }
      const before = reading.previous?.watermarks.w ?? -Infinity
      const { ranges, watermarks } = reading.batch(nowMs, (at) => most[at]!)
      const watermark = watermarks.w ?? -Infinity
      expect(watermark).toBeGreaterThanOrEqual(before)
      for (const { partition, from, until } of ranges) {
        for (const timeMs of reading.log[partition]!.slice(from, until)) {
          judge(timeMs! < watermark, wasIdle[partition]!)
        }
        if (until > from) alive[partition] = nowMs
        alive[partition] ??= nowMs
      }
    }
  }

  test('no record is behind the watermark of its batch while no partition becomes idle', () => {
    fc.assert(
      fc.property(history, (each) => {
        replay(each, { isSteady: true }, (isLate) => expect(isLate).toBe(false))
      }),
      { numRuns: 500 },
    )
  })

  test('of partitions that become idle, only records after the idle time can be behind the watermark', () => {
    let late = 0
    fc.assert(
      fc.property(history, (each) => {
        replay(each, { isSteady: false }, (isLate, wasIdle) => {
          if (isLate) late++
          expect(isLate && !wasIdle).toBe(false)
        })
      }),
      { numRuns: 500 },
    )
    expect(late).toBeGreaterThan(0)
  })

  test('pauses change nothing if everything is read and no partition is idle', () => {
    const times = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 2, maxLength: 20 })
    fc.assert(
      fc.property(times, fc.array(fc.constantFrom(...pauses), { minLength: 20 }), (all, gaps) => {
        const run = (gapOf: (at: number) => number) => {
          const reading = new Reading(1)
          let nowMs = 0
          return all.map((timeMs, at) => {
            nowMs += gapOf(at)
            reading.append(0, timeMs)
            return reading.batch(nowMs).watermarks
          })
        }
        expect(run((at) => gaps[at]!)).toEqual(run(() => 1000))
      }),
    )
  })
})
