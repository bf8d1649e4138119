// Event time windows against plain code: whatever the batches, disorder, pauses and crashes, a
// window contains the rows of its time, and any other row is late.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Job, job, type WindowResult } from '../../../engine/engine.ts'
import { FixedModel, SessionModel, type WindowModel } from './eventWindowModel.ts'
import { StreamHarness } from './streamHarness.ts'

interface Row {
  readonly key: string
  readonly timeMs: number
  readonly id: number
}

type Windows = { readonly latenessMs: number } & (
  | { readonly kind: 'fixed'; readonly sizeMs: number; readonly slideMs: number; offsetMs: number }
  | { readonly kind: 'sessions'; readonly gapMs: number }
)

const latenessArbitrary = fc.constantFrom(0, 10, 30, 60)

const windowsArbitrary = fc.oneof(
  fc
    .record({
      kind: fc.constant('fixed' as const),
      sizeMs: fc.integer({ min: 1, max: 40 }),
      slideMs: fc.integer({ min: 1, max: 40 }),
      offsetMs: fc.integer({ min: -30, max: 30 }),
      latenessMs: latenessArbitrary,
    })
    .map((windows) => ({ ...windows, slideMs: Math.min(windows.slideMs, windows.sizeMs) })),
  fc.record({
    kind: fc.constant('sessions' as const),
    gapMs: fc.integer({ min: 1, max: 20 }),
    latenessMs: latenessArbitrary,
  }),
)

const second = 1
const minute = 60
/**
 * Nominal time before a batch, in intervals of 1 s, including pauses of 4 s, 4 minutes and 4 hours.
 */
const intervalsArbitrary = fc.constantFrom(1, 1, 1, 4 * second, 4 * minute, 240 * minute)

const batchesArbitrary = fc.array(
  fc.record({
    intervals: intervalsArbitrary,
    /** Time by which the clock of the rows advances. */
    passedMs: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 20 }) },
      fc.integer({ min: 0, max: 200 }),
    ),
    rows: fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b'),
        behindMs: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 60 })),
        partition: fc.constantFrom(0, 1),
      }),
      { maxLength: 8 },
    ),
    /**
     * A crash before the batch, or after it so that the batch runs again; `again` reruns the batch
     * without a crash.
     */
    crash: fc.constantFrom('no', 'no', 'no', 'before', 'after', 'again'),
  }),
  { minLength: 1, maxLength: 20, size: 'max' },
)

interface Outputs {
  readonly results: WindowResult<string, number[]>[][]
  readonly late: Row[][]
  readonly open: unknown[][]
}

function windowed(
  windows: Windows,
  outputs: Outputs,
  delayMs: number,
  idleTimeoutMs?: number,
): Job {
  return job('windowed', { partitions: 3 }, (stream) => {
    const keyed = stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => JSON.parse(line) as Row)
      .withWatermark(({ timeMs }) => timeMs, {
        delayMs,
        ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      })
      .keyBy(({ key }) => key)
    const { latenessMs } = windows
    const shaped =
      windows.kind === 'sessions'
        ? keyed.sessions(windows.gapMs)
        : keyed.hopping(windows.sizeMs, windows.slideMs, { offsetMs: windows.offsetMs })
    const ids = shaped.allowedLateness(latenessMs).aggregate({
      create: (): number[] => [],
      add(all, { id }) {
        all.push(id)
        return all
      },
      merge(left, right) {
        left.push(...right)
        return left
      },
    })
    ids.foreachRDD(async (rdd, { batchId }) => {
      outputs.results[batchId] = await rdd.collect()
    })
    ids.late
      .map(({ row }) => row)
      .foreachRDD(async (rdd, { batchId }) => {
        outputs.late[batchId] = await rdd.collect()
      })
    ids.open().foreachRDD(async (rdd, { batchId }) => {
      outputs.open[batchId] = await rdd.collect()
    })
  })
}

function lines(rows: readonly (Row & { readonly partition: number })[]): string[][] {
  return [0, 1].map((at) =>
    rows
      .filter(({ partition }) => partition === at)
      .map(({ key, timeMs, id }) => JSON.stringify({ key, timeMs, id })),
  )
}

/** Returns the values as sorted text: the order in which keys are emitted is not specified. */
function sorted(values: readonly unknown[] | undefined): string[] {
  return (values ?? [])
    .map((value) => {
      const { value: ids, ...rest } = value as { value?: number[] }
      return JSON.stringify(
        ids === undefined ? rest : { ...rest, ids: ids.toSorted((one, other) => one - other) },
        (_name, part: unknown) =>
          typeof part === 'object' && part !== null && !Array.isArray(part)
            ? Object.fromEntries(Object.entries(part).sort())
            : part,
      )
    })
    .sort()
}

test('results, late rows and open windows match plain code, in every batch', async () => {
  await fc.assert(
    fc.asyncProperty(
      batchesArbitrary,
      windowsArbitrary,
      fc.constantFrom(0, 0, 10, 40),
      async (batches, windows, delayMs) => {
        const outputs: Outputs = { results: [], late: [], open: [] }
        const program = windowed(windows, outputs, delayMs)
        await using harness = await StreamHarness.start(program)
        const model: WindowModel =
          windows.kind === 'sessions' ? new SessionModel(windows) : new FixedModel(windows)
        let nowMs = 1000
        let nextId = 0
        for (const [at, { intervals, passedMs, rows, crash }] of batches.entries()) {
          nowMs += passedMs
          const arrived = rows.map(({ key, behindMs, partition }) => {
            return { key, timeMs: nowMs - behindMs, id: nextId++, partition }
          })
          if (crash === 'before') await harness.restart()
          await harness.batchOf(lines(arrived), intervals)
          if (crash === 'after') await harness.restart()
          if (crash === 'after' || crash === 'again') await harness.run(harness.batches.at(-1)!)
          const watermarkMs = Object.values(harness.batches[at]!.watermarks ?? {})[0]
          const expected = model.batch(arrived, watermarkMs ?? -Infinity)
          expect(sorted(outputs.late[at])).toEqual(
            sorted(expected.late.map(({ key, timeMs, id }) => ({ key, timeMs, id }))),
          )
          expect(sorted(outputs.results[at])).toEqual(sorted(expected.results))
          expect(sorted(outputs.open[at])).toEqual(sorted(expected.open))
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('rows within the delay are never late, and a pause changes no window', async () => {
  await fc.assert(
    fc.asyncProperty(batchesArbitrary, windowsArbitrary, async (batches, windows) => {
      const outputs: Outputs = { results: [], late: [], open: [] }
      await using harness = await StreamHarness.start(
        // The delay is the maximum disorder of the rows, and no partition counts as idle.
        windowed(windows, outputs, 60, 1e12),
      )
      const all: Row[] = []
      let nowMs = 1000
      for (const { intervals, passedMs, rows, crash } of batches) {
        nowMs += passedMs
        const arrived = rows.map(({ key, behindMs, partition }, index) => {
          return { key, timeMs: nowMs - behindMs, id: all.length + index, partition }
        })
        all.push(...arrived)
        if (crash === 'before') await harness.restart()
        await harness.batchOf(lines(arrived), intervals)
        if (crash === 'after') await harness.restart()
        if (crash === 'after' || crash === 'again') await harness.run(harness.batches.at(-1)!)
      }
      // One row far ahead in each partition moves the watermark past every window.
      const end = [0, 1].map((partition) => ({ key: 'z', timeMs: 1e9, id: -1, partition }))
      await harness.batchOf(lines(end))
      await harness.batchOf([[], []])

      expect(outputs.late.flat()).toEqual([])
      const last = latest(outputs.results.flat()).filter(({ key }) => key !== 'z')
      const plain =
        windows.kind === 'sessions' ? new SessionModel(windows) : new FixedModel(windows)
      const expected = [
        ...plain.batch(all, -Infinity).results,
        ...plain.batch([], 1e8).results,
      ].map(({ revision: _, ...window }) => window)
      expect(sorted(last)).toEqual(sorted(expected))
    }),
    { numRuns: 100 },
  )
})

/** Returns the results that remain when each result replaces the earlier results that it names. */
function latest(results: readonly WindowResult<string, number[]>[]) {
  const current = new Map<string, Omit<WindowResult<string, number[]>, 'revision'>>()
  const name = (key: string, { startMs, endMs }: { startMs: number; endMs: number }) =>
    `${key} ${startMs} ${endMs}`
  for (const { revision: _, replaces = [], ...result } of results) {
    for (const replaced of replaces) expect(current.delete(name(result.key, replaced))).toBe(true)
    current.set(name(result.key, result), result)
  }
  return [...current.values()]
}
