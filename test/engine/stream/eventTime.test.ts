// Event times and watermarks: where they come from, what they include, and which operators depend
// on them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type EventStateContext,
  type Job,
  type JobStream,
  job,
  type LateRow,
  type TimedRow,
} from '../../../engine/engine.ts'
import { StreamHarness, visits } from './streamHarness.ts'

const delayMs = 10

test('rows keep their times through map, flatMap, filter and union, and the smallest watermark counts', async () => {
  const found: unknown[] = []
  const program = job('kept', { partitions: 2 }, (stream) => {
    const timed = (uid: string, ownDelayMs: number) =>
      visits(stream).withWatermark(({ time }) => time, { delayMs: ownDelayMs, uid })
    const quick = timed('quick', 0)
    const slow = timed('slow', 100)
    quick
      .map(({ key }) => key)
      .filter((key) => key !== 'c')
      .flatMap((key) => [key, `${key}${key}`])
      .union(slow.map(({ key }) => `slow ${key}`))
      .keyBy((name) => name)
      .tumbling(50)
      .count()
      .foreachRDD(async (rdd) => {
        for (const { key, startMs, value } of await rdd.collect()) found.push([key, startMs, value])
      })
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a 10', 'c 10'], ['b 60']])
  await harness.batchOf([['a 149'], ['a 149']])
  await harness.batchOf([['a 150'], ['a 150']])
  expect(found).toEqual([])
  // The slow watermark is at 50 now.
  await harness.batchOf([[], []])
  expect(found.toSorted()).toEqual([
    ['a', 0, 1],
    ['aa', 0, 1],
    ['slow a', 0, 1],
    ['slow c', 0, 1],
  ])
})

test('a union has no watermark until all of its streams have one', async () => {
  const found: unknown[] = []
  const program = job('missing', (stream) => {
    const of = (name: string) =>
      visits(stream)
        .filter(({ key }) => key === name)
        .withWatermark(({ time }) => time, { delayMs: 0, uid: name })
    of('a')
      .union(of('b'))
      .keyBy(({ key }) => key)
      .tumbling(10)
      .count()
      .foreachRDD(async (rdd) => {
        for (const { key, startMs } of await rdd.collect()) found.push([key, startMs])
      })
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a 5', 'a 500'], ['a 500']])
  await harness.batchOf([['b 5'], []])
  await harness.batchOf([[], ['b 20']])
  expect(harness.batches[2]!.watermarks).toEqual({ a: 500 })
  expect(found).toEqual([])
  await harness.batchOf([['b 20'], []])
  await harness.batchOf([[], []])
  expect(harness.batches[4]!.watermarks).toEqual({ a: 500, b: 20, 'a+b': 20 })
  expect(found.toSorted()).toEqual([
    ['a', 0],
    ['b', 0],
  ])
})

test('an idle topic does not hold back windows of a union, and its later rows may be late', async () => {
  const found: string[] = []
  const late: string[] = []
  const program = job('idle', (stream) => {
    const of = (name: string) =>
      visits(stream)
        .filter(({ key }) => key === name)
        .withWatermark(({ time }) => time, { delayMs: 0, idleTimeoutMs: 5000, uid: name })
    const counts = of('a')
      .union(of('b'))
      .keyBy(({ key }) => key)
      .tumbling(10)
      .count()
    counts.foreachRDD(async (rdd) => {
      for (const { key, startMs } of await rdd.collect()) found.push(`${key} ${startMs}`)
    })
    counts.late.foreachRDD(async (rdd) => {
      for (const { key, timeMs } of await rdd.collect()) late.push(`${key} ${timeMs}`)
    })
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a 5', 'b 1'], ['a 5']])
  for (let second = 1; second <= 12; second++) {
    await harness.batchOf([[`a ${second * 10}`], [`a ${second * 10}`]])
    if (second === 8) await harness.restart()
  }
  expect(found).toContain('b 0')
  expect(found).toContain('a 90')
  // The window at 0 is not opened again.
  await harness.batchOf([['b 2', 'b 121'], ['a 121']])
  await harness.restart()
  await harness.run(harness.batches.at(-1)!)
  expect(new Set(late)).toEqual(new Set(['b 2']))
  expect(found.filter((each) => each === 'b 0')).toHaveLength(1)
})

test('a window value that is not plain is rejected where rows are added to it', async () => {
  class Sum {
    total = 0
  }
  const program = job('classes', (stream) => {
    visits(stream)
      .withWatermark(({ time }) => time, { delayMs })
      .keyBy(({ key }) => key)
      .tumbling(10)
      .aggregate({ create: () => new Sum(), add: (value) => value, merge: (value) => value })
      .foreachRDD(() => {})
  })
  await using harness = await StreamHarness.start(program)
  await expect(harness.batch(['a 1'])).rejects.toThrow(/a Sum cannot go to another task/)
})

test('rows that are not plain are rejected where they get a key', async () => {
  class Visit {
    readonly time = 1
  }
  const program = job('classes', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map(() => new Visit())
      .withWatermark(({ time }) => time, { delayMs })
      .keyBy(() => 'all')
      .tumbling(10)
      .count()
      .foreachRDD(() => {})
  })
  await using harness = await StreamHarness.start(program)
  await expect(harness.batch(['a'])).rejects.toThrow(/a Visit cannot go to another task/)
})

test.each([
  ['a size', (keyed: Keyed) => keyed.tumbling(0)],
  ['a slide', (keyed: Keyed) => keyed.hopping(10, 1.5)],
  ['a slide longer than the window', (keyed: Keyed) => keyed.hopping(10, 11)],
  ['an offset', (keyed: Keyed) => keyed.tumbling(10, { offsetMs: Number.NaN })],
  ['a gap', (keyed: Keyed) => keyed.sessions(-1)],
  ['a lateness', (keyed: Keyed) => keyed.sessions(1).allowedLateness(-1)],
  ['a lateness without a limit', (keyed: Keyed) => keyed.tumbling(1).allowedLateness(2 ** 53 - 1)],
  ['a gap without a limit', (keyed: Keyed) => keyed.sessions(2 ** 53 - 1)],
  [
    'a time to drop duplicates within',
    (keyed: Keyed) => keyed.dropDuplicatesWithinWatermark({ withinMs: 0 }),
  ],
])('%s that is not a number of milliseconds is refused', async (_name, build) => {
  const program = job('refused', (stream) => {
    build(
      visits(stream)
        .withWatermark(({ time }) => time, { delayMs })
        .keyBy(({ key }) => key),
    )
  })
  await expect(StreamHarness.start(program)).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
})

const keyed = (stream: JobStream) =>
  visits(stream)
    .withWatermark(({ time }) => time, { delayMs })
    .keyBy(({ key }) => key)
type Keyed = ReturnType<typeof keyed>

const batchesArbitrary = fc.array(
  fc.record({
    intervals: fc.constantFrom(1, 1, 1, 4, 240, 4 * 3600),
    passedMs: fc.integer({ min: 0, max: 40 }),
    rows: fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c'),
        behindMs: fc.integer({ min: 0, max: 30 }),
        partition: fc.constantFrom(0, 1),
      }),
      { maxLength: 8 },
    ),
    crash: fc.constantFrom('no', 'no', 'no', 'before', 'after', 'again'),
  }),
  { minLength: 1, maxLength: 15, size: 'max' },
)
type Visit = { readonly key: string; readonly time: number }

/** Runs the batches, and calls `check` with the rows and the watermark of each one. */
async function runAll(
  program: Job,
  batches: typeof batchesArbitrary extends fc.Arbitrary<infer T> ? T : never,
  check: (batchId: number, rows: readonly Visit[], watermarkMs: number | undefined) => void,
): Promise<void> {
  await using harness = await StreamHarness.start(program)
  let nowMs = 1000
  for (const [at, { intervals, passedMs, rows, crash }] of batches.entries()) {
    nowMs += passedMs
    const arrived: Visit[] = []
    const lines: string[][] = [[], []]
    for (const partition of [0, 1]) {
      for (const row of rows.filter((each) => each.partition === partition)) {
        const visit = { key: row.key, time: nowMs - row.behindMs }
        arrived.push(visit)
        lines[partition]!.push(`${visit.key} ${visit.time}`)
      }
    }
    if (crash === 'before') await harness.restart()
    await harness.batchOf(lines, intervals)
    if (crash === 'after') await harness.restart()
    if (crash === 'after' || crash === 'again') await harness.run(harness.batches.at(-1)!)
    check(at, arrived, Object.values(harness.batches[at]!.watermarks ?? {})[0])
  }
}

const sorted = (values: readonly unknown[] = []) =>
  values.map((each) => JSON.stringify(each)).sort()

test('a custom operator has event time timers, and receives no rows behind the watermark', async () => {
  await fc.assert(
    fc.asyncProperty(batchesArbitrary, async (batches) => {
      const emitted: unknown[][] = []
      const late: LateRow<string, Visit>[][] = []
      const program = job('timers', { partitions: 3 }, (stream) => {
        const bursts = keyed(stream).transformWithState({
          handleInput(key: string, rows: readonly TimedRow<Visit>[], context: Burst) {
            const times = rows.map(({ timeMs }) => timeMs)
            context.emit([key, 'times', times, context.watermarkMs])
            const before = context.get()
            const largest = Math.max(before ?? -Infinity, ...times)
            if (before !== undefined) context.deleteEventTimer(before + 20)
            context.registerEventTimer(largest + 20)
            context.update(largest)
          },
          handleTimer(key: string, { timeMs }, context: Burst) {
            context.emit([key, 'quiet', timeMs, context.get()])
            context.remove()
          },
        })
        bursts.foreachRDD(async (rdd, { batchId }) => {
          emitted[batchId] = await rdd.collect()
        })
        bursts.late.foreachRDD(async (rdd, { batchId }) => {
          late[batchId] = await rdd.collect()
        })
      })
      const model = new Map<string, number>()
      await runAll(program, batches, (batchId, rows, watermarkMs) => {
        const isLate = ({ time }: Visit) => time < (watermarkMs ?? -Infinity)
        const expected: unknown[] = []
        for (const key of new Set(rows.map((row) => row.key))) {
          const times = rows
            .filter((row) => row.key === key && !isLate(row))
            .map(({ time }) => time)
            .sort((one, other) => one - other)
          if (times.length === 0) continue
          expected.push([key, 'times', times, watermarkMs])
          model.set(key, Math.max(model.get(key) ?? -Infinity, ...times))
        }
        for (const [key, largest] of model) {
          if (largest + 20 > (watermarkMs ?? -Infinity)) continue
          expected.push([key, 'quiet', largest + 20, largest])
          model.delete(key)
        }
        expect(sorted(emitted[batchId])).toEqual(sorted(expected))
        expect(sorted(late[batchId])).toEqual(
          sorted(rows.filter(isLate).map((row) => ({ key: row.key, timeMs: row.time, row }))),
        )
      })
    }),
    { numRuns: 100 },
  )
})

type Burst = EventStateContext<number, unknown>

test('of rows of a key close to each other only the first one passes, however far apart the others are', async () => {
  await fc.assert(
    fc.asyncProperty(
      batchesArbitrary,
      fc.constantFrom(undefined, 40),
      async (batches, withinMs) => {
        const first: TimedRow<Visit>[][] = []
        const late: LateRow<string, Visit>[][] = []
        const program = job('first', { partitions: 3 }, (stream) => {
          const rows = keyed(stream).dropDuplicatesWithinWatermark(
            withinMs === undefined ? {} : { withinMs },
          )
          rows.timedRows().foreachRDD(async (rdd, { batchId }) => {
            first[batchId] = await rdd.collect()
          })
          rows.late.foreachRDD(async (rdd, { batchId }) => {
            late[batchId] = await rdd.collect()
          })
        })
        // All rows that passed. A row that the state has forgotten cannot suppress a later row.
        const passed: Visit[] = []
        await runAll(program, batches, (batchId, rows, watermarkMs = -Infinity) => {
          const expected: unknown[] = []
          const behind: unknown[] = []
          for (const row of rows.toSorted((one, other) => one.time - other.time)) {
            const { key, time } = row
            const isNear = (other: Visit) =>
              other.key === key && Math.abs(other.time - time) < (withinMs ?? delayMs)
            if (time < watermarkMs) behind.push({ key, timeMs: time, row })
            else if (!passed.some(isNear)) {
              passed.push(row)
              expected.push({ timeMs: time, row })
            }
          }
          expect(sorted(first[batchId])).toEqual(sorted(expected))
          expect(sorted(late[batchId])).toEqual(sorted(behind))
        })
      },
    ),
    { numRuns: 100 },
  )
})

test('windows of rows without duplicates', async () => {
  const counts: unknown[] = []
  const program = job('unique', (stream) => {
    visits(stream)
      .withWatermark(({ time }) => time, { delayMs })
      .keyBy(({ key, time }) => `${key} ${time}`)
      .dropDuplicatesWithinWatermark()
      .keyBy(({ key }) => key)
      .tumbling(100)
      .count()
      .foreachRDD(async (rdd) => {
        for (const { key, value } of await rdd.collect()) counts.push([key, value])
      })
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a 1', 'a 2', 'b 1'], ['a 1']])
  await harness.batchOf([['a 1', 'a 3'], ['b 1']])
  await harness.batchOf([['z 500'], ['z 500']])
  await harness.batchOf([[], []])
  expect(counts.toSorted()).toEqual([
    ['a', 3],
    ['b', 1],
  ])
})

describe('the allowed lateness may change while the job is stopped', () => {
  const both: [string, (rows: Keyed) => ReturnType<Keyed['sessions']>][] = [
    ['tumbling', (rows) => rows.tumbling(100)],
    ['sessions', (rows) => rows.sessions(100)],
  ]

  /**
   * Runs batches of an allowed lateness, a watermark, and the keys of rows at time 0. Returns the
   * results and the open windows after each batch.
   */
  async function run(
    windows: (typeof both)[number][1],
    batches: readonly [latenessMs: number, watermarkMs: number, rows: string[]][],
  ): Promise<string[]> {
    const found: string[][] = []
    const program = (latenessMs: number) =>
      job('lateness', { partitions: 1 }, (stream) => {
        const counts = windows(keyed(stream)).allowedLateness(latenessMs).count({ uid: 'counts' })
        const note = (batchId: number, text: string) => {
          if (!text.includes('z')) found[batchId] = [...(found[batchId] ?? []), text]
        }
        counts.foreachRDD(async (rdd, { batchId }) => {
          for (const { key, value, revision } of await rdd.collect()) {
            note(batchId, `${key} ${value} (${revision})`)
          }
        })
        counts.late.foreachRDD(async (rdd, { batchId }) => {
          for (const { key } of await rdd.collect()) note(batchId, `${key} is late`)
        })
        counts.open().foreachRDD(async (rdd, { batchId }) => {
          for (const { key } of await rdd.collect()) note(batchId, `${key} is open`)
        })
      })
    await using harness = await StreamHarness.start(program(0))
    for (const [at, [latenessMs, watermarkMs, rows]] of batches.entries()) {
      // The previous batch has the rows that move the watermark to its current value.
      if (at > 0)
        await harness.batchOf([[`z ${watermarkMs + delayMs}`], [`z ${watermarkMs + delayMs}`]])
      await harness.restart(program(latenessMs))
      await harness.batchOf([rows.map((key) => `${key} 0`), []])
    }
    return batches.map((_, at) => (found[2 * at] ?? []).toSorted().join(', '))
  }

  test.each(both)('%s: longer', async (_name, windows) => {
    const found = await run(windows, [
      [100, -delayMs, ['a', 'b']],
      [100, 110, []],
      [300, 250, ['a']],
      [300, 399, []],
      [300, 400, ['c']],
    ])
    expect(found).toEqual([
      'a is open, b is open',
      'a 1 (0), a is open, b 1 (0), b is open',
      'a 2 (1), a is open, b is open',
      'a is open, b is open',
      'c is late',
    ])
  })

  test.each(both)('%s: shorter', async (_name, windows) => {
    const found = await run(windows, [
      [300, -delayMs, ['a', 'b']],
      [300, 110, []],
      [50, 160, ['a']],
      [50, 400, []],
    ])
    expect(found).toEqual([
      'a is open, b is open',
      'a 1 (0), a is open, b 1 (0), b is open',
      // No row changes these windows any more; their timers remove them at the time set before.
      'a is late, a is open, b is open',
      '',
    ])
  })
})
