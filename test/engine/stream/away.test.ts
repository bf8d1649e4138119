// A driver that is killed anywhere and returns after 4 seconds, 4 minutes or 4 hours, while records
// keep arriving: every event time window matches the plain computation, each row is in one window
// or late, and only rows behind a watermark that had passed before they were written are late.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DStream, job, json, type WindowResult } from '../../../engine/engine.ts'
import { type JobTest, type TestContext, testJob } from '../../../engine/testing/testing.ts'

interface Row {
  readonly key: string
  readonly timeMs: number
  readonly id: number
}

const delayMs = 2000
const sizeMs = 1500
const gapMs = 700
const partitions = [0, 1]
const endKey = 'end'

/**
 * Each output goes to a sink by the id of its batch: a batch that runs again writes the same output
 * again.
 */
const program = ({ sinkNamed }: TestContext) =>
  job('away', { partitions: 3 }, (stream) => {
    const rows = stream
      .fromTopic('rows', json<Row>())
      .withWatermark(({ timeMs }) => timeMs, { delayMs })
      .keyBy(({ key }) => key)
    const put = (name: string, results: DStream<unknown>) =>
      results.foreachRDD(async (rdd, { batchId }) => {
        await sinkNamed(name).put(batchId, await rdd.collect())
      })
    const ids = {
      create: (): number[] => [],
      add: (all: number[], { id }: Row) => [...all, id],
      merge: (left: number[], right: number[]) => [...left, ...right],
    }
    const windows = rows.tumbling(sizeMs).aggregate(ids, { uid: 'windows' })
    const sessions = rows.sessions(gapMs).aggregate(ids, { uid: 'sessions' })
    put('windows', windows)
    put('late for windows', windows.late)
    put('sessions', sessions)
    put('late for sessions', sessions.late)
  })

const rowArbitrary = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  behindMs: fc.nat(delayMs),
})

/** Rows written in one step: at least one row to each partition, so that no partition is idle. */
const writesArbitrary = fc.record({
  rows: fc.tuple(
    ...partitions.map(() => fc.array(rowArbitrary, { minLength: 1, maxLength: 4, size: 'max' })),
  ),
  /** A row with a time before the watermark of the newest batch. */
  straggler: fc.option(fc.record({ behindMs: fc.nat(5000), partition: fc.nat(1) }), { freq: 3 }),
})

const stepArbitrary = fc.record({
  writes: writesArbitrary,
  kill: fc.option(
    fc.record({
      stepsAhead: fc.nat(30),
      write: fc.constantFrom('lost' as const, 'kept' as const),
      loses: fc.constantFrom('process' as const, 'power' as const),
      /** Rows that arrive while the driver is down. */
      away: fc.array(writesArbitrary, { minLength: 1, maxLength: 8, size: 'max' }),
    }),
    { freq: 2 },
  ),
})

type Writes = typeof writesArbitrary extends fc.Arbitrary<infer W> ? W : never

class Written {
  readonly onTime: Row[] = []
  readonly late: Row[] = []
  readonly #run: JobTest

  constructor(run: JobTest) {
    this.#run = run
  }

  async write({ rows, straggler }: Writes): Promise<void> {
    for (const partition of partitions) {
      for (const { key, behindMs } of rows[partition]!) {
        const row = { key, timeMs: this.#run.nowMs - behindMs, id: this.#nextId() }
        this.onTime.push(row)
        await this.#run.feed('rows', [{ value: row, partition }])
      }
    }
    const [watermarkMs] = Object.values(this.#run.batches.at(-1)?.watermarks ?? {})
    if (straggler === null || watermarkMs === undefined) return
    const timeMs = watermarkMs - 2 * sizeMs - straggler.behindMs
    // Late rows have a key of their own: an open session of another key could include their time.
    const row = { key: 'straggler', timeMs, id: this.#nextId() }
    this.late.push(row)
    await this.#run.feed('rows', [{ value: row, partition: straggler.partition }])
  }

  #nextId(): number {
    return this.onTime.length + this.late.length
  }
}

function elementsOf(run: JobTest, output: string): unknown[] {
  return [...run.sink(output).table.values()].flat()
}

/** Returns the results as sorted text. */
function shown(results: readonly Omit<WindowResult<string, readonly number[]>, 'revision'>[]) {
  return results
    .filter(({ key }) => key !== endKey)
    .map(({ key, startMs, endMs, value }) => {
      return `${key} ${startMs} to ${endMs}: ${value.toSorted((one, other) => one - other)}`
    })
    .sort()
}

function plainWindows(rows: readonly Row[]) {
  const groups = Map.groupBy(rows, ({ key, timeMs }) => `${key} ${Math.floor(timeMs / sizeMs)}`)
  return [...groups.values()].map((group) => {
    const { key, timeMs } = group[0]!
    const startMs = Math.floor(timeMs / sizeMs) * sizeMs
    return { key, startMs, endMs: startMs + sizeMs, value: group.map(({ id }) => id) }
  })
}

function plainSessions(rows: readonly Row[]) {
  const sessions: { key: string; startMs: number; endMs: number; value: number[] }[] = []
  for (const group of Map.groupBy(rows, ({ key }) => key).values()) {
    let lastMs = -Infinity
    for (const { key, timeMs, id } of group.toSorted((one, other) => one.timeMs - other.timeMs)) {
      const isNext = timeMs - lastMs >= gapMs
      lastMs = timeMs
      if (isNext) sessions.push({ key, startMs: timeMs, endMs: 0, value: [] })
      sessions.at(-1)!.endMs = timeMs + gapMs
      sessions.at(-1)!.value.push(id)
    }
  }
  return sessions
}

/** Runs the job until its lag is zero. A job that has just started does not know its lag yet. */
async function untilRead(run: JobTest): Promise<void> {
  for (let isRead = false; !isRead; ) {
    while (!run.isUp) await run.restart()
    await run.advance(1000)
    isRead = run.isUp && run.status().lagRecords === 0
  }
}

test.each([
  ['4 seconds', 4000],
  ['4 minutes', 240_000],
  ['4 hours', 4 * 3600_000],
])(
  'after %s of downtime, windows, sessions and late rows match plain code',
  async (_name, awayMs) => {
    let deaths = 0
    let stragglers = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepArbitrary, { minLength: 3, maxLength: 8, size: 'max' }),
        fc.constantFrom(3, 1000),
        async (steps, maxRecordsPerPartition) => {
          await using run = await testJob(program, { maxRecordsPerPartition })
          const written = new Written(run)
          for (const { writes, kill } of steps) {
            await written.write(writes)
            const { stepsAhead = 0, away = [], ...options } = kill ?? {}
            if (kill) run.killDriver({ atStep: run.steps.length + stepsAhead, ...options })
            await run.advance(1000)
            if (run.isUp) continue
            deaths++
            for (const each of away) {
              await run.pause(Math.floor(awayMs / away.length))
              await written.write(each)
            }
            while (!run.isUp) await run.restart()
          }
          while (!run.isUp) await run.restart()
          await untilRead(run)
          while (!run.isUp) await run.restart()
          stragglers += written.late.length
          // A row far ahead in each partition ends all windows.
          const end = { key: endKey, timeMs: run.nowMs + 86_400_000, id: -1 }
          await run.feed(
            'rows',
            partitions.map((partition) => ({ value: end, partition })),
          )
          for (let batch = 0; batch < 3 || run.status().lagRecords > 0; batch++) {
            // A kill planned for a later step may happen during a restart.
            while (!run.isUp) await run.restart()
            await run.advance(1000)
          }

          const windows = elementsOf(run, 'windows') as WindowResult<string, number[]>[]
          const sessions = elementsOf(run, 'sessions') as WindowResult<string, number[]>[]
          expect(shown(windows)).toEqual(shown(plainWindows(written.onTime)))
          expect(shown(sessions)).toEqual(shown(plainSessions(written.onTime)))
          for (const { revision } of [...windows, ...sessions]) expect(revision).toBe(0)
          const late = written.late.map((row) => ({ key: row.key, timeMs: row.timeMs, row }))
          for (const output of ['late for windows', 'late for sessions']) {
            expect(elementsOf(run, output).toSorted(byId)).toEqual(late)
          }
        },
      ),
      { numRuns: 40 },
    )
    expect(deaths).toBeGreaterThan(20)
    expect(stragglers).toBeGreaterThan(20)
  },
)

function byId(one: unknown, other: unknown): number {
  const idOf = (late: unknown) => (late as { row: Row }).row.id
  return idOf(one) - idOf(other)
}
