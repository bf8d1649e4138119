import { describe, expect, test } from 'vitest'
import { DiskTrend, diskLevel } from '../../../broker/metrics/diskTrend.ts'

const minuteMs = 60_000
const gibibyte = 1024 ** 3

function trendOf(freeBytes: (minute: number) => number, minutes: number): DiskTrend {
  const trend = new DiskTrend()
  for (let minute = 0; minute <= minutes; minute++) trend.add(minute * minuteMs, freeBytes(minute))
  return trend
}

describe('the time until a disk is full', () => {
  test('is extrapolated from the rate of the last half hour', () => {
    const trend = trendOf((minute) => 100_000 - 600 * minute, 10)
    // 94,000 bytes are free, and 10 bytes a second are used up.
    expect(trend.secondsUntil(0)).toBeCloseTo(9400)
    expect(trend.secondsUntil(4_000)).toBeCloseTo(9000)
  })

  test('is infinite while free bytes do not fall, and while there are too few samples', () => {
    expect(trendOf((minute) => 1000 + minute, 10).secondsUntil(0)).toBe(Infinity)
    expect(trendOf(() => 1000, 10).secondsUntil(0)).toBe(Infinity)
    expect(new DiskTrend().secondsUntil(0)).toBe(Infinity)
    const short = new DiskTrend()
    short.add(0, 1000)
    short.add(30_000, 10)
    expect(short.secondsUntil(0)).toBe(Infinity)
  })

  test('is 0 when the disk is full, even with a single sample', () => {
    const trend = new DiskTrend()
    trend.add(0, 100)
    expect(trend.secondsUntil(100)).toBe(0)
  })

  test('ignores the sawtooth of retention', () => {
    // Each 10 minutes a segment of 9 minutes' worth is deleted: 1 part in 10 is never deleted.
    const saw = (minute: number) => 1e6 - 100 * (minute % 10) - 100 * Math.floor(minute / 10)
    const seconds = trendOf(saw, 59).secondsUntil(0)
    expect(seconds).toBeGreaterThan((1e6 / 100) * 60)
    expect(seconds).toBeLessThan(20 * (1e6 / 10) * 60)
  })

  test('drops samples older than half an hour', () => {
    const trend = trendOf((minute) => (minute < 60 ? 1e6 - 1000 * minute : 940_000), 120)
    expect(trend.secondsUntil(0)).toBe(Infinity)
  })

  test('keeps a bounded number of samples', () => {
    const trend = new DiskTrend()
    for (let each = 0; each < 10_000; each++) trend.add(each * 1000, 1e9 - each)
    expect(trend.secondsUntil(0)).toBeGreaterThan(0)
  })
})

describe('the level of a disk', () => {
  const roomy = {
    refuses: false,
    sizeBytes: 1000 * gibibyte,
    freeBytes: 500 * gibibyte,
    reservedBytes: gibibyte,
    secondsUntilFull: Infinity,
  }

  test('is 0 with enough space, 1 when nearly or soon full, 2 when produces are refused', () => {
    expect(diskLevel(roomy)).toBe(0)
    expect(diskLevel({ ...roomy, freeBytes: 10 * gibibyte })).toBe(1)
    expect(diskLevel({ ...roomy, freeBytes: 12 * gibibyte })).toBe(0)
    expect(diskLevel({ ...roomy, sizeBytes: 100 * gibibyte, freeBytes: 5 * gibibyte })).toBe(1)
    expect(diskLevel({ ...roomy, secondsUntilFull: 3 * 3600 })).toBe(1)
    expect(diskLevel({ ...roomy, secondsUntilFull: 5 * 3600 })).toBe(0)
    expect(diskLevel({ ...roomy, refuses: true })).toBe(2)
  })
})
