// A window that adds and subtracts shows what the same window computed from scratch shows, whatever
// arrives, however it slides, wherever batches are missing and the program crashes.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { add, job, seconds, subtract, sum } from '../../../engine/engine.ts'
import { StreamHarness } from './streamHarness.ts'

const batchArbitrary = fc.record({
  /** Intervals since the batch before: more than one after a pause. */
  intervals: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 7 })),
  lines: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 6 }),
  /** Before the batch, or after it and then the batch runs again. */
  crash: fc.constantFrom('no', 'no', 'before', 'after'),
})

test('a window with an inverse equals the direct one', async () => {
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
          ones
            .reduceByKeyAndWindow<string, number>(sum, windowMs, slideMs, {
              inverse: subtract,
              filter: (count) => count > 0,
            })
            .view('inverse', { title: 'inverse', chart: 'bar' })
        })
        await using harness = await StreamHarness.start(windowed)
        for (const { intervals, lines, crash } of batches) {
          if (crash === 'before') await harness.restart()
          let views = await harness.batch(lines, intervals)
          if (crash === 'after') {
            await harness.restart()
            views = await harness.run(harness.batches.at(-1)!)
          }
          expect(views.get('inverse')).toEqual(views.get('direct'))
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a direct window holds exactly the lines of its time', async () => {
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

test('a running total counts every line once, and count says 0 for an empty batch', async () => {
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

test('join, union, window and groupByKey agree with what they say', async () => {
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
  ['a window that is not made of batches', 1500, 1000],
  ['a slide that is not made of batches', 2000, 700],
  ['no window', 0, 1000],
])('%s is refused', async (_what, windowMs, slideMs) => {
  const bad = job('bad', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).window(windowMs, slideMs)
  })
  await expect(StreamHarness.start(bad)).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
})

test('a window over a state is refused, as states cannot be read again', async () => {
  const bad = job('bad', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .updateStateByKey<string, number, number>(add)
      .window(seconds(2))
  })
  await expect(StreamHarness.start(bad)).rejects.toThrow(/put the window before/)
})
