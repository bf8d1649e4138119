// The size of planned batches: the rate of Spark's estimator against vectors computed by hand, its
// division among partitions, and the other limits.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requireBounds } from '../../../engine/scheduler/batchBounds.ts'
import { planRanges } from '../../../engine/scheduler/rangePlan.ts'
import { PidRateEstimator, splitRate } from '../../../engine/scheduler/rateEstimator.ts'
import { guessedRecordBytes, RateLimits } from '../../../engine/scheduler/rateLimits.ts'
import { parseRateConf, rateOptions } from '../../../engine/scheduler/rateOptions.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'

describe('the estimator', () => {
  // Vectors of the formula, with P = 1, I = 0.2, D = 0, a batch of 1000 ms and minRate 100, unless
  // stated otherwise:
  //   processingRate  = records / processingDelayMs * 1000
  //   error           = latestRate - processingRate
  //   historicalError = schedulingDelayMs * processingRate / batchMs
  //   rate = max(latestRate - P * error - I * historicalError - D * (error - latestError) / dt,
  //   minRate)
  const standard = { batchMs: 1000, proportional: 1, integral: 0.2, derived: 0, minRate: 100 }
  const sample = (
    timeMs: number,
    records: number,
    processingDelayMs: number,
    schedulingDelayMs: number,
  ) => ({ timeMs, records, processingDelayMs, schedulingDelayMs })

  test('matches vectors computed by hand', () => {
    const pid = new PidRateEstimator(standard)
    // The first sample gives latestRate = 1000 / 500 * 1000 = 2000, and no rate.
    expect(pid.compute(sample(1000, 1000, 500, 0))).toBeUndefined()
    // processingRate 3000 / 2000 * 1000 = 1500; error 500; historical 1000 * 1500 / 1000 = 1500;
    // 2000 - 500 - 0.2 * 1500 = 1200.
    expect(pid.compute(sample(4000, 3000, 2000, 1000))).toBeCloseTo(1200, 9)
    // processingRate 1200 / 1000 * 1000 = 1200; error 0; historical 500 * 1200 / 1000 = 600;
    // 1200 - 0 - 120 = 1080.
    expect(pid.compute(sample(5000, 1200, 1000, 500))).toBeCloseTo(1080, 9)
    // processingRate 10 / 1000 * 1000 = 10; error 1070; historical 0; 1080 - 1070 = 10, raised to
    // minRate 100.
    expect(pid.compute(sample(6000, 10, 1000, 0))).toBe(100)
    // processingRate 400 / 500 * 1000 = 800; error -700; 100 + 700 = 800.
    expect(pid.compute(sample(7000, 400, 500, 0))).toBeCloseTo(800, 9)
  })

  test('matches vectors computed by hand with all three terms', () => {
    const pid = new PidRateEstimator({
      ...{ batchMs: 500, proportional: 0.5, integral: 0.1, derived: 0.2, minRate: 1 },
    })
    // latestRate = 100 / 100 * 1000 = 1000, latestError = 0.
    expect(pid.compute(sample(500, 100, 100, 0))).toBeUndefined()
    // processingRate 600; error 400; historical 250 * 600 / 500 = 300; dt 0.5 s; dError 800;
    // 1000 - 200 - 30 - 160 = 610.
    expect(pid.compute(sample(1000, 300, 500, 250))).toBeCloseTo(610, 9)
    // processingRate 800; error -190; historical 0; dt 1 s; dError -590; 610 + 95 + 118 = 823.
    expect(pid.compute(sample(2000, 400, 500, 0))).toBeCloseTo(823, 9)
  })

  test('ignores samples that are empty, took no time, or are out of order', () => {
    const pid = new PidRateEstimator(standard)
    pid.compute(sample(1000, 1000, 500, 0))
    for (const idle of [sample(1000, 9, 9, 0), sample(2000, 0, 9, 0), sample(2000, 9, 0, 0)]) {
      expect(pid.compute(idle)).toBeUndefined()
    }
    expect(pid.compute(sample(4000, 3000, 2000, 1000))).toBeCloseTo(1200, 9)
  })

  test('divides a rate by lag, within the limits of a partition', () => {
    const split = { rate: 1000, lags: [300, 100, 0], batchSeconds: 2 }
    // 3/4 of 2000 records, 1/4 of 2000 records, and the minimum.
    expect(splitRate({ ...split, maxRatePerPartition: 0, minRatePerPartition: 1 })).toEqual([
      1500, 500, 1,
    ])
    // At most 400 records a second, for 2 s.
    expect(splitRate({ ...split, maxRatePerPartition: 400, minRatePerPartition: 1 })).toEqual([
      800, 500, 1,
    ])
    expect(splitRate({ ...split, maxRatePerPartition: 400, minRatePerPartition: 900 })).toEqual([
      900, 900, 900,
    ])
    // Fractions are rounded down: a third of 100.
    const thirds = { rate: 100, lags: [1, 1, 1], batchSeconds: 1 }
    expect(splitRate({ ...thirds, maxRatePerPartition: 0, minRatePerPartition: 1 })).toEqual([
      33, 33, 33,
    ])
  })
})

describe('limits of a batch', () => {
  const conf = (given: Record<string, string> = {}) => parseRateConf(given)
  const many = 1e12

  /**
   * Runs a job on a topic with a backlog, whose batches take `batchMs(offsets)`; returns the number
   * of offsets of each batch.
   */
  function run(
    limits: RateLimits,
    lags: readonly number[],
    batchMs: (offsets: number) => number,
    batches: number,
    { intervalMs = 1000, bytes = 100, arriving = 0 } = {},
  ): number[] {
    const latest = [...lags]
    let previous: { timeMs: number; ranges: OffsetRange[] } | undefined
    let nowMs = 10_000
    return Array.from({ length: batches }, () => {
      const timeMs = Math.max(
        Math.floor(nowMs / intervalMs) * intervalMs,
        (previous?.timeMs ?? 0) + intervalMs,
      )
      nowMs = Math.max(nowMs, timeMs)
      const ends = latest.map((until, partition) => {
        return { topic: 't', partition, earliest: 0, latest: until }
      })
      const ranges = planRanges(
        ends,
        previous?.ranges ?? [],
        limits.plan({ timeMs, ends, previous }),
      )
      const offsets = ranges.reduce((sum, { from, until }) => sum + until - from, 0)
      const startedMs = nowMs
      nowMs += batchMs(offsets)
      const reads = ranges
        .map((range) => ({ range, records: range.until - range.from }))
        .map((read) => ({ ...read, bytes: read.records * bytes }))
      const finishedMs = nowMs
      const isRepeated = false
      limits.finished({
        timeMs,
        startedMs,
        finishedMs,
        records: offsets,
        ranges,
        reads,
        isRepeated,
      })
      previous = { timeMs, ranges }
      for (const at of latest.keys())
        latest[at]! += Math.floor((arriving * (nowMs - timeMs)) / 1000)
      return offsets
    })
  }

  const limitsWith = (given: Record<string, string>, options = {}) =>
    new RateLimits({
      ...{ batchIntervalMs: 1000, maxRecordsPerPartition: many, maxBatchBytes: many },
      ...options,
      conf: conf(given),
    })

  test('a job that keeps up is never limited by its rate, however small the batches are', () => {
    const limits = limitsWith({})
    expect(run(limits, [10, 10], () => 100, 50, { arriving: 5 }).every((n) => n <= 24)).toBe(true)
    expect(limits.rate).toBeUndefined()
    expect(run(limits, [1e6, 1e6], () => 100, 1)[0]).toBe(2e6)
  })

  test('a fixed cost of a batch beyond its interval does not throttle a job', () => {
    const limits = limitsWith({})
    const batches = run(limits, [100], () => 2000, 200, { arriving: 1000 })
    expect(batches.at(-1)).toBeGreaterThan(1900)
  })

  test('batches become as large as can be processed in the target time', () => {
    const most = { maxRecordsPerPartition: 200_000 }
    const limits = limitsWith({}, most)
    // 10,000 records a second. The estimator gives no rate in the first two batches.
    const batches = run(limits, [1e9, 1e8], (offsets) => offsets / 10, 12)
    expect(batches.slice(0, 2)).toEqual([400_000, 400_000])
    for (const offsets of batches.slice(2)) {
      expect(offsets).toBeGreaterThan(35_000)
      expect(offsets).toBeLessThanOrEqual(50_000)
    }
    const spark = limitsWith({ 'millrace.backpressure.targetBatchMs': '1000' }, most)
    expect(run(spark, [1e9], (offsets) => offsets / 10, 12).at(-1)).toBeLessThanOrEqual(10_000)
  })

  test('the first batch of a topic is small, and the next ones follow the observed bytes', () => {
    const limits = limitsWith({}, { maxBatchBytes: 1024 * guessedRecordBytes })
    const batches = run(limits, [3e6, 1e6], () => 10, 3, { bytes: 256 })
    expect(batches.slice(0, 2)).toEqual([1024, 16 * 1024])
    expect(batches[2]).toBeGreaterThan(16 * 1024 - 5)
  })

  test('larger records affect the next batch', () => {
    const limits = limitsWith({}, { maxBatchBytes: 1_000_000 })
    const finished = (bytes: number) => {
      const range = { topic: 't', partition: 0, from: 0, until: 100 }
      limits.finished({
        ...{ timeMs: 0, startedMs: 0, finishedMs: 1, records: 100, ranges: [range] },
        ...{ reads: [{ range, records: 100, bytes }], isRepeated: false },
      })
      const ends = [{ topic: 't', partition: 0, earliest: 0, latest: 1e9 }]
      return limits.plan({ timeMs: 0, ends })('t', 0)
    }
    expect(finished(100 * 100)).toBe(10_000)
    expect(finished(100 * 1000)).toBe(1000)
    expect(finished(100 * 100)).toBe(Math.floor(1_000_000 / 550))
  })

  test('partitions share a limit in proportion to their lag, and each gets at least one record', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1e9), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 1e6 }),
        (lags, most) => {
          const limits = limitsWith({}, { maxBatchBytes: most * guessedRecordBytes })
          const ends = lags.map((latest, partition) => ({
            topic: 't',
            partition,
            earliest: 0,
            latest,
          }))
          const bounds = limits.plan({ timeMs: 0, ends })
          const sizes = lags.map((lag, partition) => Math.min(lag, bounds('t', partition)))
          for (const [at, lag] of lags.entries()) if (lag > 0) expect(sizes[at]).toBeGreaterThan(0)
          const total = sizes.reduce((sum, each) => sum + each, 0)
          expect(total).toBeLessThanOrEqual(most + lags.length)
        },
      ),
    )
  })

  test('records before startAt and lost records are not lag and take no part of a limit', () => {
    const limits = limitsWith({}, { maxBatchBytes: 1000 * guessedRecordBytes })
    const old = { topic: 'old', partition: 0, earliest: 0, latest: 1e9 }
    const ends = [{ topic: 't', partition: 0, earliest: 0, latest: 1000 }]
    const begins = limits.plan({ timeMs: 0, ends: [...ends, { ...old, start: 1e9 }] })
    expect(begins('t', 0)).toBe(1000)
    const previous = { timeMs: 0, ranges: [{ topic: 'old', partition: 0, from: 0, until: 7 }] }
    const resumes = limits.plan({ timeMs: 0, ends: [...ends, { ...old, resume: 1e9 }], previous })
    expect(resumes('t', 0)).toBe(1000)
  })

  test('after a split the next batches start at the size that fitted, and stay below the size that did not fit', () => {
    const limits = limitsWith({})
    const range = (until: number) => [{ topic: 't', partition: 0, from: 0, until }]
    limits.split(range(2000), range(1000))
    const batches = run(limits, [1e9], () => 10, 100)
    expect(batches.slice(0, 3)).toEqual([1000, 1250, 1562])
    expect(batches[3]).toBeLessThan(1800)
    // Several batches later, the size that did not fit is tried again.
    expect(batches.findIndex((offsets) => offsets >= 2000)).toBeGreaterThan(10)
    expect(batches.at(-1)).toBeGreaterThan(2000)
  })

  test('a limit of a partition follows nominal time, but not downtime of the job', () => {
    const limits = limitsWith({
      'spark.streaming.kafka.maxRatePerPartition': '100',
      'spark.streaming.backpressure.enabled': 'false',
    })
    const ends = [{ topic: 't', partition: 0, earliest: 0, latest: 1e9 }]
    const after = (ms: number) =>
      limits.plan({ timeMs: ms, ends, previous: { timeMs: 0, ranges: [] } })('t', 0)
    expect(after(1000)).toBe(100)
    expect(after(3000)).toBe(300)
    expect(after(4 * 3600_000)).toBe(500)
  })

  test('an initial rate applies until a rate has been measured', () => {
    const limits = limitsWith({ 'spark.streaming.backpressure.initialRate': '200' })
    // The first batch only seeds the estimator: 20,000 records a second, for 5 s.
    expect(run(limits, [1e6], () => 10, 3)).toEqual([200, 200, 100_000])
  })
})

describe('options', () => {
  test.each([
    [{ maxBatchBytes: 0 }, /maxBatchBytes is 0; it must be an integer of at least 1/],
    [{ executorMemoryMb: 3 }, /at least 16/],
    [{ maxShuffleBytes: 1.5 }, /maxShuffleBytes is 1.5/],
    [{ maxBatchTimeMs: 10, executors: 0 }, /maxBatchTimeMs needs executors/],
    [{ conf: { 'spark.streaming.unpersist': 'true' } }, /is not supported/],
  ])('%j is refused', (options, message) => {
    expect(() => requireBounds(options)).toThrow(
      expect.objectContaining({
        code: 'JOB_OPTION_INVALID',
        message: expect.stringMatching(message),
      }),
    )
    expect(() => requireBounds({})).not.toThrow()
  })

  test("have Spark's defaults, except for backpressure, which is on", () => {
    expect(parseRateConf()).toEqual({
      'spark.streaming.backpressure.enabled': true,
      'spark.streaming.backpressure.initialRate': 0,
      'spark.streaming.backpressure.rateEstimator': 'pid',
      'spark.streaming.backpressure.pid.proportional': 1,
      'spark.streaming.backpressure.pid.integral': 0.2,
      'spark.streaming.backpressure.pid.derived': 0,
      'spark.streaming.backpressure.pid.minRate': 100,
      'spark.streaming.kafka.maxRatePerPartition': 0,
      'spark.streaming.kafka.minRatePerPartition': 1,
      'millrace.backpressure.targetBatchMs': 0,
    })
    for (const { doc } of Object.values(rateOptions)) expect(doc).toMatch(/\.$/)
  })

  test.each([
    [
      'spark.streaming.backpresure.enabled',
      'true',
      /did you mean spark.streaming.backpressure.enabled\?/,
    ],
    [
      'spark.streaming.blockInterval',
      '200ms',
      /blockInterval is not supported: there are no receivers/,
    ],
    ['spark.streaming.receiver.maxRate', '5', /is not supported.*maxRatePerPartition/],
    ['spark.speculation.quantile', '0.9', /is not supported.*taskTimeoutMs/],
    ['toString', '1', /unknown option toString: known options are/],
    ['spark.streaming.backpressure.enabled', 'yes', /is 'yes': give true or false/],
    ['spark.streaming.backpressure.rateEstimator', 'mine', /give pid/],
    ['spark.streaming.backpressure.pid.minRate', '0', /give a number above 0/],
    ['spark.streaming.backpressure.pid.integral', '-1', /give a number of at least 0/],
    ['spark.streaming.kafka.maxRatePerPartition', '1.5', /give an integer/],
  ])('%s=%s is refused', (key, value, message) => {
    expect(() => parseRateConf({ [key]: value })).toThrow(
      expect.objectContaining({
        code: 'JOB_OPTION_INVALID',
        message: expect.stringMatching(message),
      }),
    )
  })
})
