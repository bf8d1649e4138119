// Visits of a shop's users as sessions, and joins of their actions, over generated and real input,
// with the driver paused midway: each result is compared with a plain script.

import type { LateRow, WindowResult } from 'millrace/engine'
import { afterEach, describe, expect, test } from 'vitest'
import { sharedFile } from '../../sharedFile.ts'
import { type Arrival, arrivals, closed, type Line } from './inputs/arrival.ts'
import { actionLine, generatedActions, readActions, type ShopAction } from './inputs/shopActions.ts'
import { absences, type JobRun, pausesMs, runJob } from './jobRun.ts'
import clickedAndBought from './modules/clickedAndBought.ts'
import { type Action, clicksToPurchases, type Joined } from './modules/clicksToPurchases.ts'
import { shopSessions, type Visit } from './modules/shopSessions.ts'
import { countsOf, linesOf } from './plain/counts.ts'
import { type PlainSession, plainBatches, plainSessions, wholeSessions } from './plain/eventTime.ts'

const dayMs = 24 * 60 * 60 * 1000
const gapMs = 4 * dayMs
/**
 * Times are whole days: rows are out of order by at most one day, which is the delay of the
 * watermark.
 */
const boundMs = 2 * dayMs
const runs: JobRun[] = []

afterEach(async () => {
  for (const { test } of runs.splice(0)) await test[Symbol.asyncDispose]()
})

async function run(...given: Parameters<typeof runJob>): Promise<JobRun> {
  const done = await runJob(...given)
  runs.push(done)
  return done
}

function emitted<T>({ test }: JobRun, output = 0): T[] {
  return test.outputs
    .filter((each) => each.output === output)
    .flatMap(({ elements }) => elements) as T[]
}

function closing(timeMs: number): Line<ShopAction> {
  const day = new Date(timeMs).toISOString().slice(5, 10).replace('-', '')
  const row = { user: 'nobody', item: '0', day, action: '3', age: '', gender: '' }
  return { timeMs, row, text: actionLine(row) }
}

describe('visits', () => {
  const job = shopSessions({ closed: () => {}, late: () => {} })
  const isSomebody = ({ key }: { readonly key: string }) => key !== 'nobody'

  function visitsOf(done: JobRun): PlainSession[] {
    const results = emitted<WindowResult<string, Visit>>(done)
    return results
      .map(({ key, startMs, endMs, value }) => ({ key, startMs, endMs, count: value.actions }))
      .sort((one, other) => one.startMs - other.startMs || (one.key < other.key ? -1 : 1))
  }

  function runOver(arrived: readonly Arrival<ShopAction>[], pauses: readonly number[]) {
    const maxRecordsPerPartition = Math.ceil(arrived.length / 50)
    const input = [{ topic: 'actions', arrivals: arrived }]
    return run(job, input, { pausesMs: pauses, maxRecordsPerPartition, partsBehind: 3 })
  }

  test.each(absences)('match the whole log when nothing is late: $name', async ({ pauses }) => {
    const actions = generatedActions(61, 2500, 120)
    const arrived = closed(arrivals(actions, { seed: 61, boundMs }), 2, closing, 30 * dayMs)
    const done = await runOver(arrived, pauses)
    const visits = wholeSessions(actions, gapMs, ({ user }) => user)
    expect(visits.length).toBeGreaterThan(200)
    expect(visitsOf(done).filter(isSomebody)).toEqual(visits)
    expect(emitted(done, 1)).toEqual([])
    const purchases = emitted<WindowResult<string, Visit>>(done)
    expect(purchases.reduce((sum, { value }) => sum + value.purchases, 0)).toBe(
      actions.filter(({ row }) => row.action === '2').length,
    )
  })

  test.each([1, 2, 3])(
    'match a plain script, with late rows in the late output: seed %i',
    async (seed) => {
      const disorder = { seed, boundMs, latePerThousand: 60, lateMs: 5 * dayMs }
      const actions = generatedActions(seed, 2500, 120)
      const done = await runOver(arrivals(actions, disorder), pausesMs)
      const batches = plainBatches<ShopAction>(done.test.batches, done.fed, dayMs)
      const plain = plainSessions(batches, gapMs, ({ user }) => user)
      expect(plain.late.length).toBeGreaterThan(10)
      expect(visitsOf(done)).toEqual(plain.closed)
      const late = emitted<LateRow<string, unknown>>(done, 1)
      const described = (key: string, timeMs: number) => `${key} ${timeMs}`
      expect(late.map(({ key, timeMs }) => described(key, timeMs)).sort()).toEqual(
        plain.late.map(({ timeMs, row }) => described(row.user, timeMs)).sort(),
      )
    },
  )

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('match the log of a real shop', async () => {
    const actions = readActions(log!)
    const done = await runOver(closed(actions, 2, closing, 20 * dayMs), pausesMs)
    const visits = wholeSessions(actions, gapMs, ({ user }) => user)
    expect(visits).toHaveLength(13_643)
    expect(visitsOf(done).filter(isSomebody)).toEqual(visits)
    expect(emitted(done, 1)).toEqual([])
  })
})

describe('clicks joined with purchases over time', () => {
  const job = clicksToPurchases({ joined: () => {}, late: () => {} })

  /** Returns every purchase with each click of the 30 days before it, or without a click. */
  function joinedOf(actions: readonly Line<ShopAction>[]): string[] {
    const clicks = new Map<string, number[]>()
    for (const { timeMs, row } of actions) {
      if (row.action !== '0') continue
      const key = `${row.user}/${row.item}`
      clicks.set(key, [...(clicks.get(key) ?? []), timeMs])
    }
    return actions
      .filter(({ row }) => row.action === '2')
      .flatMap(({ timeMs, row: { user, item } }): Joined[] => {
        const found = (clicks.get(`${user}/${item}`) ?? []).filter(
          (clickMs) => clickMs <= timeMs && timeMs - clickMs <= 30 * dayMs,
        )
        const purchase = { user, item, purchaseMs: timeMs }
        if (found.length === 0) return [{ ...purchase, clickMs: undefined }]
        return found.map((clickMs) => ({ ...purchase, clickMs }))
      })
      .map((each) => JSON.stringify(each))
      .sort()
  }

  async function runOver(arrived: readonly Arrival<ShopAction>[], pauses: readonly number[]) {
    const of = (action: string) =>
      arrived.filter((each) => 'bad' in each || each.row.action === action)
    const lastMs = Math.max(...linesOf(arrived).map(({ timeMs }) => timeMs))
    const ends = Array.from({ length: 2 }, () => closing(lastMs + 40 * dayMs))
    const maxRecordsPerPartition = Math.ceil(arrived.length / 60)
    return await run(
      job,
      [
        { topic: 'clicks', arrivals: [...of('0'), ...ends] },
        { topic: 'purchases', arrivals: [...of('2'), ...ends] },
      ],
      { pausesMs: pauses, maxRecordsPerPartition, partsBehind: 3 },
    )
  }

  function joinedBy(done: JobRun): string[] {
    return emitted<Joined>(done)
      .filter(({ user }) => user !== 'nobody')
      .map(({ user, item, purchaseMs, clickMs }) =>
        JSON.stringify({ user, item, purchaseMs, clickMs }),
      )
      .sort()
  }

  test.each(absences)('match a plain script: $name', async ({ pauses }) => {
    const actions = generatedActions(71, 3000, 120)
    const done = await runOver(arrivals(actions, { seed: 71, boundMs }), pauses)
    const joined = joinedOf(actions)
    expect(joinedBy(done)).toEqual(joined)
    const without = joined.filter((each) => !each.includes('clickMs'))
    expect(without.length).toBeGreaterThan(20)
    expect(joined.length - without.length).toBeGreaterThan(100)
    // Rows that can no longer be joined are removed: only the closing purchases are waiting.
    expect([...(await done.test.state('waiting')).keys()]).toEqual(['nobody/0'])
  })

  test.each([1, 2, 3])('omit late rows, and list them: seed %i', async (seed) => {
    const disorder = { seed, boundMs, latePerThousand: 60, lateMs: 5 * dayMs }
    const done = await runOver(arrivals(generatedActions(seed, 3000, 120), disorder), pausesMs)
    const late: string[] = []
    const onTime: Line<ShopAction>[] = []
    const described = (user: string, item: string, kind: string, timeMs: number) =>
      `${kind} ${user}/${item} ${timeMs}`
    for (const { watermarkMs = -Infinity, lines } of plainBatches<ShopAction>(
      done.test.batches,
      done.fed,
      dayMs,
    )) {
      onTime.push(...lines.filter(({ timeMs }) => timeMs >= watermarkMs))
      for (const { timeMs, row } of lines.filter((line) => line.timeMs < watermarkMs)) {
        const kind = row.action === '0' ? 'click' : 'purchase'
        late.push(described(row.user, row.item, kind, timeMs))
      }
    }
    expect(late.length).toBeGreaterThan(10)
    const rows = emitted<LateRow<string, Action>>(done, 1)
    expect(
      rows.map(({ row, timeMs }) => described(row.user, row.item, row.kind, timeMs)).sort(),
    ).toEqual(late.sort())
    expect(joinedBy(done)).toEqual(joinedOf(onTime))
  })

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('match the log of a real shop', async () => {
    const actions = readActions(log!)
    const done = await runOver(actions, pausesMs)
    expect(joinedBy(done)).toEqual(joinedOf(actions))
  })
})

describe('clicks joined with purchases of the same batch', () => {
  function pairsOf(actions: readonly Line<ShopAction>[]): number {
    const of = (action: string) =>
      countsOf(
        actions
          .filter(({ row }) => row.action === action)
          .map(({ row: { user, item } }) => `${user}/${item}`),
      ).map(([key]) => key)
    const bought = new Set(of('2'))
    return of('0').filter((key) => bought.has(key)).length
  }

  test('are correct within one batch, and lose pairs across batches', async () => {
    const actions = generatedActions(72, 1500, 60)
    const input = [{ topic: 'actions', arrivals: actions }]
    const whole = await run(clickedAndBought, input, { parts: 1 })
    const largest = Math.max(
      ...whole.test.batches.map(({ views }) => Number(views.pairs?.[0]?.[1])),
    )
    expect(largest).toBe(pairsOf(actions))
    const cut = await run(clickedAndBought, input, { parts: 10 })
    const sum = cut.test.batches.reduce((all, { views }) => all + Number(views.pairs?.[0]?.[1]), 0)
    expect(sum).not.toBe(pairsOf(actions))
  })

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('match the log of a real shop', async () => {
    const actions = readActions(log!)
    const done = await run(clickedAndBought, [{ topic: 'actions', arrivals: actions }], {
      parts: 1,
    })
    expect(Math.max(...done.test.batches.map(({ views }) => Number(views.pairs?.[0]?.[1])))).toBe(
      10_768,
    )
    expect(pairsOf(actions)).toBe(10_768)
  })
})
