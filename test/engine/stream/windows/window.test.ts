// A window that adds and subtracts matches the same window computed from scratch, whatever arrives,
// however the window slides, and wherever batches are missing or the program crashes.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { add, job, seconds, subtract, sum } from '../../../../engine/engine.ts'
import { StreamHarness } from '../streamHarness.ts'

const batchArbitrary = fc.record({
  /** Intervals since the previous batch: more than one after a pause. */
  intervals: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 7 })),
  lines: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 6 }),
  /**
   * A crash before the batch, or after it so that the batch runs again; `again` reruns the batch
   * without a crash.
   */
  crash: fc.constantFrom('no', 'no', 'before', 'after', 'again'),
})

test('a window with an inverse matches the direct one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(batchArbitrary, { minLength: 1, maxLength: 14 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      async (batches, window, slide) => {
        const windowed = job('windows', (stream) => {
          const ones = stream
            .fromTopic('lines', StreamHarness.lines)
            .map((line) => [line, 1] as const)
          const [windowMs, slideMs] = [seconds(window), seconds(slide)]
          ones
            .reduceByKeyAndWindow<string, number>(sum, windowMs, slideMs)
            .view('direct', { title: 'direct', chart: 'bar' })
          const filter = (count: number) => count > 1
          ones
            .reduceByKeyAndWindow<string, number>(sum, windowMs, slideMs, { inverse: subtract })
            .view('inverse')
          ones
            .reduceByKeyAndWindow<string, number>(sum, windowMs, slideMs, { filter })
            .view('direct filtered')
          ones
            .reduceByKeyAndWindow<string, number>(sum, windowMs, slideMs, {
              inverse: subtract,
              filter,
            })
            .view('inverse filtered')
        })
        await using harness = await StreamHarness.start(windowed)
        for (const { intervals, lines, crash } of batches) {
          if (crash === 'before') await harness.restart()
          let views = await harness.batch(lines, intervals)
          if (crash === 'after') await harness.restart()
          if (crash === 'after' || crash === 'again') {
            views = await harness.run(harness.batches.at(-1)!)
          }
          expect(views.get('inverse')).toEqual(views.get('direct'))
          expect(views.get('inverse filtered')).toEqual(views.get('direct filtered'))
        }
      },
    ),
    { numRuns: 60 },
  )
})

describe('a window with an inverse', () => {
  const counting = (keep: (line: string) => boolean, views: unknown[] = []) =>
    job('counting', { partitions: 3 }, (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .filter(keep)
        .map((line) => [line.slice(1), 1] as const)
        .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
          inverse: subtract,
          uid: 'counts',
        })
        .foreachRDD(async (rdd) => {
          views.push((await rdd.collect()).sort())
        })
    })

  test('is correct one window after its code has changed: it subtracts the values that it added', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom('+a', '-a', '+b', '-b')), { maxLength: 5 }),
        fc.array(fc.array(fc.constantFrom('+a', '-a', '+b', '-b')), {
          minLength: 3,
          maxLength: 6,
        }),
        async (before, after) => {
          const views: [string, number][][] = []
          const plain: [string, number][][] = []
          await using harness = await StreamHarness.start(counting((line) => line[0] === '+'))
          for (const lines of before) await harness.batch(lines)
          await harness.restart(counting((line) => line[0] === '-', views))
          for (const [at, lines] of after.entries()) {
            await harness.batch(lines)
            const counts = new Map<string, number>()
            for (const line of after.slice(Math.max(0, at - 2), at + 1).flat()) {
              if (line[0] === '-') counts.set(line[1]!, (counts.get(line[1]!) ?? 0) + 1)
            }
            plain.push([...counts].sort())
          }
          expect(views.slice(2)).toEqual(plain.slice(2))
        },
      ),
      { numRuns: 50 },
    )
  })

  test('over many batches is exact through crashes, reruns and pauses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 30, max: 60 }),
        fc.array(batchArbitrary, { minLength: 80, maxLength: 120, size: 'max' }),
        async (window, batches) => {
          const program = job('long', (stream) => {
            stream
              .fromTopic('lines', StreamHarness.lines)
              .map((line) => [line, 1] as const)
              .reduceByKeyAndWindow<string, number>(sum, seconds(window), seconds(1), {
                inverse: subtract,
              })
              .view('counts')
          })
          await using harness = await StreamHarness.start(program)
          const arrived: [timeMs: number, line: string][] = []
          for (const [at, { lines, crash }] of batches.entries()) {
            if (crash === 'before') await harness.restart()
            let views = await harness.batch(lines, at % 40 === 39 ? 45 : 1)
            if (crash === 'after') await harness.restart()
            if (crash === 'after' || crash === 'again') {
              views = await harness.run(harness.batches.at(-1)!)
            }
            const { timeMs } = harness.batches.at(-1)!
            for (const line of lines) arrived.push([timeMs, line])
            const counts = new Map<string, number>()
            for (const [arrivedMs, line] of arrived) {
              if (arrivedMs <= timeMs - seconds(window)) continue
              counts.set(line, (counts.get(line) ?? 0) + 1)
            }
            expect(views.get('counts')).toEqual([...counts].sort())
          }
        },
      ),
      { numRuns: 5 },
    )
  })

  test('reads no record twice, and needs no earlier batch', async () => {
    await using harness = await StreamHarness.start(counting(() => true))
    await harness.batch(['+a', '+b'])
    await harness.batch(['+a', '+b'])
    await harness.batch(['+a', '+b'], 7)
    // Each of three batches scans two partitions.
    expect(harness.scans).toBe(6)
    expect(harness.driver.graph.rememberMs).toBe(1000)
  })

  test('drops accumulated rounding errors when only one batch remains', async () => {
    const values = [0.1, 0.2, 0.7, 0.4]
    let at = 0
    const program = job('fractions', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, values[at]!] as const)
        .reduceByKeyAndWindow<string, number>(sum, seconds(2), seconds(1), { inverse: subtract })
        .view('totals')
    })
    await using harness = await StreamHarness.start(program)
    for (; at < values.length; at++) await harness.batch(['a'])
    expect((await harness.batch([])).get('totals')).toEqual([['a', 0.4]])
  })

  test('may follow a state', async () => {
    const program = job('after-state', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 1] as const)
        .updateStateByKey((values: readonly number[]) => values.length)
        .reduceByKeyAndWindow<string, number>(sum, seconds(2), seconds(1), { inverse: subtract })
        .view('totals')
    })
    await using harness = await StreamHarness.start(program)
    await harness.batch(['a', 'x', 'a'])
    expect((await harness.batch(['b'])).get('totals')).toEqual([
      ['a', 4],
      ['b', 1],
      ['x', 2],
    ])
  })

  test('an inverse that throws is reported with its state and key', async () => {
    const program = job('throwing', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 1] as const)
        .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
          inverse: () => {
            throw new TypeError('no inverse')
          },
          uid: 'counts',
        })
        .foreachRDD(() => {})
    })
    await using harness = await StreamHarness.start(program)
    for (let batch = 0; batch < 3; batch++) await harness.batch(['a'])
    await expect(harness.batch([])).rejects.toThrow(
      /TypeError: no inverse.* in reduceByKeyAndWindow 'counts', at key "a"/,
    )
  })
})

test('a direct window contains exactly the lines of its time', async () => {
  const lastTwo = job('last-two', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .reduceByKeyAndWindow<string, number>(sum, seconds(2))
      .view('counts', { title: 'counts', chart: 'bar' })
  })
  await using harness = await StreamHarness.start(lastTwo)
  expect((await harness.batch(['a', 'b'])).get('counts')).toEqual([
    ['a', 1],
    ['b', 1],
  ])
  expect((await harness.batch(['a'])).get('counts')).toEqual([
    ['a', 2],
    ['b', 1],
  ])
  expect((await harness.batch([])).get('counts')).toEqual([['a', 1]])
  expect((await harness.batch(['b'], 2)).get('counts')).toEqual([['b', 1]])
})

test('a running total counts every line once, and count gives 0 for an empty batch', async () => {
  const counts: number[] = []
  const totals = job('totals', { partitions: 3 }, (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    lines
      .map((line) => [line, 1] as const)
      .reduceByKey<string, number>(sum)
      .updateStateByKey(add)
      .view('totals', { title: 'totals', chart: 'bar' })
    lines.count().foreachRDD(async (rdd) => {
      counts.push(...(await rdd.collect()))
    })
  })
  await using harness = await StreamHarness.start(totals)
  await harness.batch(['a', 'b', 'a'])
  expect((await harness.batch([])).get('totals')).toEqual([
    ['a', 2],
    ['b', 1],
  ])
  expect((await harness.batch(['b', 'c'])).get('totals')).toEqual([
    ['a', 2],
    ['b', 2],
    ['c', 1],
  ])
  expect(counts).toEqual([3, 0, 2])
})

test('join, union, window and groupByKey match their definitions', async () => {
  const mixed = job('mixed', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    const ones = lines.map((line) => [line, 1] as const).reduceByKey<string, number>(sum)
    const earlier = lines.window(seconds(2)).map((line) => [line, 10] as const)
    const sizes = earlier.groupByKey<string, number>().mapValues((tens) => tens.length)
    ones
      .join(sizes)
      .mapValues(([now, both]) => now * 100 + both)
      .union(ones.filter(([key]) => key === 'z'))
      .view('mixed', { title: 'mixed', chart: 'bar' })
  })
  await using harness = await StreamHarness.start(mixed)
  await harness.batch(['a', 'b'])
  expect((await harness.batch(['a', 'a', 'z'])).get('mixed')).toEqual([
    ['a', 203],
    ['z', 101],
    ['z', 1],
  ])
})

test.each([
  ['a window that is not a multiple of the batch interval', 1500, 1000],
  ['a slide that is not a multiple of the batch interval', 2000, 700],
  ['no window', 0, 1000],
])('%s is refused', async (_what, windowMs, slideMs) => {
  const bad = job('bad', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).window(windowMs, slideMs)
  })
  await expect(StreamHarness.start(bad)).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
})

test('a window over a state is refused, because states cannot be read again', async () => {
  const bad = job('bad', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .updateStateByKey<string, number, number>(add)
      .window(seconds(2))
  })
  await expect(StreamHarness.start(bad)).rejects.toThrow(/put the window before/)
})
