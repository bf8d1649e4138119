import { describe, expect, it } from 'vitest'
import { shiftOf } from './harness/gate/signedRank.ts'
import { gateRow } from './harness/gate/verdict.ts'

describe('the shift between pairs', () => {
  it('and its interval are those of the published example', () => {
    // Hollander and Wolfe, table 3.1: nine patients before and after a therapy.
    const before = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3]
    const after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    const { estimate, interval } = shiftOf(
      after.map((value, at) => value - before[at]!),
      0.95,
    )
    expect(estimate).toBeCloseTo(-0.46, 3)
    expect(interval?.[0]).toBeCloseTo(-0.786, 3)
    expect(interval?.[1]).toBeCloseTo(-0.01, 3)
  })

  it('has no interval of 95 % with five pairs, and with six the interval spans all of them', () => {
    expect(shiftOf([1, 2, 3, 4, 5], 0.95).interval).toBeUndefined()
    expect(shiftOf([1, 2, 3, 4, 5, 6], 0.95).interval).toEqual([1, 6])
  })

  it('hardly changes because of one outlier', () => {
    const { estimate } = shiftOf([1, 1.1, 0.9, 1, 1.05, 0.95, 100], 0.95)
    expect(estimate).toBeLessThan(1.2)
  })
})

describe('the verdict on a figure', () => {
  const pairs = (speeds: readonly number[]) =>
    speeds.map((speed) => ({ ours: 100 * speed, theirs: 100 }))

  it('is slower when the whole interval is below 0.95', () => {
    const row = gateRow('fetch', 'MB/s', pairs([0.9, 0.91, 0.92, 0.9, 0.93, 0.89]))
    expect(row).toMatchObject({ verdict: 'slower', pairs: 6 })
    expect(row.speed).toBeCloseTo(0.908, 2)
  })

  it('is unsure when only the estimate is below 0.95', () => {
    expect(gateRow('fetch', 'MB/s', pairs([0.9, 0.91, 0.92, 0.9, 1.2, 0.89])).verdict).toBe(
      'unsure',
    )
  })

  it('is never slower with too few pairs for confidence', () => {
    expect(gateRow('fetch', 'MB/s', pairs([0.5, 0.5, 0.5])).verdict).toBe('unsure')
  })

  it('is slower for a longer time, and shown for a size, which is not judged', () => {
    const longer = pairs([1.2, 1.2, 1.2, 1.2, 1.2, 1.2])
    expect(gateRow('start', 'ms', longer)).toMatchObject({ verdict: 'slower' })
    expect(gateRow('start', 'ms', longer).speed).toBeCloseTo(1 / 1.2, 6)
    expect(gateRow('processor', 'µs/batch', longer)).toMatchObject({ verdict: 'slower' })
    expect(gateRow('peak', 'MB', longer)).toMatchObject({ verdict: 'shown' })
  })

  it('is passed when the speed is above 0.95', () => {
    expect(gateRow('fetch', 'MB/s', pairs([1, 0.98, 1.01, 0.99, 1, 1.02])).verdict).toBe('passed')
  })
})
