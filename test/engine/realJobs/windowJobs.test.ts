// Windows by event time: server errors per minute and attacks within 20 s. Rows are out of order,
// some are late, some are malformed, and the driver is down for 4 s, 4 minutes and 4 hours: windows
// and late rows match a plain script.

import type { LateRow, WindowResult } from 'millrace/engine'
import { afterEach, describe, expect, test } from 'vitest'
import { sharedFile } from '../../sharedFile.ts'
import { accessLine, generatedRequests, type Request, readRequests } from './inputs/accessLines.ts'
import { type Arrival, arrivals, closed, type Line } from './inputs/arrival.ts'
import { generatedSsh, readSsh, type SshRow } from './inputs/sshLines.ts'
import { absences, type JobRun, type JobRunOptions, pausesMs, runJob } from './jobRun.ts'
import { accessLog } from './modules/accessLog.ts'
import { sshAttackers, threshold } from './modules/sshAttackers.ts'
import { countsOf, linesOf } from './plain/counts.ts'
import { type PlainWindow, plainBatches, plainTumbling, wholeTumbling } from './plain/eventTime.ts'

const runs: JobRun[] = []
const minuteMs = 60_000

afterEach(async () => {
  for (const { test } of runs.splice(0)) await test[Symbol.asyncDispose]()
})

/** Returns the elements of an output, by its number, over all batches. */
function emitted<T>({ test }: JobRun, output: number): T[] {
  return test.outputs
    .filter((each) => each.output === output)
    .flatMap(({ elements }) => elements) as T[]
}

function windowsOf(run: JobRun): PlainWindow[] {
  const results = emitted<WindowResult<string, number>>(run, 0)
  // Without allowed lateness, each window has only one result.
  expect(results.filter(({ revision }) => revision > 0)).toEqual([])
  return results
    .map(({ key, startMs, value }) => ({ key, startMs, count: value }))
    .sort((one, other) => one.startMs - other.startMs || (one.key < other.key ? -1 : 1))
}

function inOrder<T extends { readonly timeMs: number }>(rows: readonly T[]): T[] {
  return rows.toSorted((one, other) => {
    return one.timeMs - other.timeMs || (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)
  })
}

describe('server errors per minute', () => {
  const job = accessLog({ minutes: () => {}, late: () => {} })
  const weigh = ({ status }: Request) => (status >= 500 ? { key: 'errors', count: 1 } : undefined)
  const closing = (timeMs: number): Line<Request> => {
    const row: Request = { ip: '10.0.0.1', path: '/last', status: 200 }
    return { timeMs, row, text: accessLine(timeMs, row) }
  }

  async function run(arrived: readonly Arrival<Request>[], options: JobRunOptions) {
    const done = await runJob(job, [{ topic: 'access', arrivals: arrived }], {
      ...{ maxRecordsPerPartition: Math.ceil(arrived.length / 50), ...options },
    })
    runs.push(done)
    return done
  }

  test.each(absences)('match the whole log when nothing is late: $name', async ({ pauses }) => {
    // Times are whole seconds, so the bound is one second more than the delay.
    const requests = generatedRequests(41, 2500, 2000)
    const arrived = closed(
      arrivals(requests, { seed: 41, boundMs: minuteMs + 1000 }),
      2,
      closing,
      600_000,
    )
    const done = await run(arrived, { pausesMs: pauses, partsBehind: 3 })
    expect(windowsOf(done)).toEqual(wholeTumbling(requests, minuteMs, weigh))
    expect(emitted(done, 1)).toEqual([])
  })

  test.each([1, 2, 3])(
    'match a plain script, with late rows in the late output: seed %i',
    async (seed) => {
      const requests = generatedRequests(seed, 2500, 2000)
      const bad = ['', '10.0.0.1 - - [no time] "GET / HTTP/1.1" 500 1', 'not a line', '\u0000']
      const disorder = {
        seed,
        boundMs: minuteMs + 1000,
        latePerThousand: 150,
        lateMs: 3 * minuteMs,
        bad,
      }
      const arrived = closed(arrivals(requests, disorder), 3, closing, 600_000)
      const done = await run(arrived, { pausesMs, partitions: 3, parts: 25 })
      const plain = plainTumbling(
        plainBatches<Request>(done.test.batches, done.fed, minuteMs),
        minuteMs,
        weigh,
      )
      expect(plain.late.length).toBeGreaterThan(10)
      expect(plain.open).toEqual([])
      expect(windowsOf(done)).toEqual(plain.closed)
      const late = emitted<LateRow<string, Request>>(done, 1).map(({ timeMs, row }) => {
        return { timeMs, path: row.path, status: row.status }
      })
      expect(inOrder(late)).toEqual(
        inOrder(plain.late.map(({ timeMs, row: { path, status } }) => ({ timeMs, path, status }))),
      )
      expect(done.test.view('paths')).toEqual(mostRequested(arrived))
    },
  )

  const log = sharedFile('data/apache-access.log')
  test.runIf(log)('match a real log', async () => {
    const requests = readRequests(log!)
    const arrived = closed(requests, 2, closing, 600_000)
    const done = await run(arrived, { pausesMs })
    const windows = wholeTumbling(requests, minuteMs, weigh)
    expect(windows).toHaveLength(3)
    expect(windowsOf(done)).toEqual(windows)
    expect(emitted(done, 1)).toEqual([])
    expect(done.test.view('paths')).toEqual(mostRequested(arrived))
    expect(done.test.view('paths')).toContainEqual(['/favicon.ico', 807])
  })

  /** Returns the ten most requested paths, sorted by path as in a view. */
  function mostRequested(arrived: readonly Arrival<Request>[]) {
    return countsOf(linesOf(arrived).map(({ row }) => row.path))
      .toSorted(([, count], [, other]) => other - count)
      .slice(0, 10)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
  }
})

describe('attacks within 20 s', () => {
  const job = sshAttackers({ attacks: () => {}, late: () => {} })
  const weigh = (row: SshRow) => row && { key: row.ip, count: row.attempts }
  const isAttack = ({ count }: PlainWindow) => count >= threshold

  async function run(arrived: readonly Arrival<SshRow>[], options: JobRunOptions) {
    const done = await runJob(job, [{ topic: 'ssh', arrivals: arrived }], {
      ...{ maxRecordsPerPartition: Math.ceil(arrived.length / 50), ...options },
    })
    runs.push(done)
    return done
  }
  function check(done: JobRun) {
    const plain = plainTumbling(attemptsOnly(done), 20_000, weigh)
    expect(windowsOf(done)).toEqual(plain.closed.filter(isAttack))
    const late = emitted<LateRow<string, { attempts: number }>>(done, 1)
    expect(
      inOrder(late.map(({ timeMs, key, row }) => ({ timeMs, key, attempts: row.attempts }))),
    ).toEqual(
      inOrder(
        plain.late.map(({ timeMs, row }) => ({ timeMs, key: row!.ip, attempts: row!.attempts })),
      ),
    )
    return plain
  }

  /**
   * The job filters before its watermark, so lines without an attempt do not affect the watermark.
   */
  function attemptsOnly({ fed, test }: JobRun) {
    const bad = { bad: 'no attempt' }
    const attempts = new Map(
      [...fed].map(([topic, logs]) => [
        topic,
        logs.map((log) =>
          log.map((each) => ('bad' in each || each.row === undefined ? bad : each)),
        ),
      ]),
    )
    return plainBatches<SshRow>(test.batches, attempts, 30_000)
  }

  test.each(absences)('match the whole log when nothing is late: $name', async ({ pauses }) => {
    const lines = generatedSsh(51, 2500, 1500)
    const arrived = arrivals(lines, { seed: 51, boundMs: 31_000 })
    const done = await run(arrived, { pausesMs: pauses, partsBehind: 3 })
    const { closed: windows, open, late } = check(done)
    expect(late).toEqual([])
    const whole = wholeTumbling(lines, 20_000, weigh)
    expect(windows).toEqual(whole.slice(0, windows.length))
    expect(whole.length - windows.length).toBe(open.length)
    expect(windows.filter(isAttack).length).toBeGreaterThan(20)
  })

  test.each([1, 2, 3])(
    'match a plain script, with late rows in the late output: seed %i',
    async (seed) => {
      const disorder = {
        seed,
        boundMs: 31_000,
        latePerThousand: 40,
        lateMs: 90_000,
        bad: ['', 'x'],
      }
      const arrived = arrivals(generatedSsh(seed, 2500, 1500), disorder)
      const { late } = check(await run(arrived, { pausesMs, partitions: 3, parts: 25 }))
      expect(late.length).toBeGreaterThan(10)
    },
  )

  const log = sharedFile('data/openssh.log')
  test.runIf(log)('match a real log', async () => {
    const lines = readSsh(log!)
    const done = await run(lines, { pausesMs })
    const { closed: windows, open, late } = check(done)
    expect(late).toEqual([])
    const attempts = [...windows, ...open].reduce((sum, { count }) => sum + count, 0)
    expect(attempts).toBe(528)
  })
})
