import { describe, expect, test } from 'vitest'
import { Board } from '../../../../broker/admin/board/board.ts'
import {
  History,
  type HistoryPoint,
  mergedPoints,
  mostFigures,
  mostKeys,
  olderLength,
  recentLength,
} from '../../../../broker/admin/board/history.ts'
import { agentStatus, batchStatus, jobStatus, topic } from './boardInput.ts'

const point = (timeMs: number, more: Partial<HistoryPoint> = {}): HistoryPoint => ({
  timeMs,
  linesPerSecond: null,
  storedPerSecond: null,
  countedPerSecond: null,
  jobs: {},
  ...more,
})

describe('a point', () => {
  test('has the sums, and the batch and the shares of each job', () => {
    const board = new Board()
    board.count([topic(0)], 0)
    board.count([topic(400)], 1_000)
    board.hear(agentStatus(0, 0), 0)
    board.hear(agentStatus(1_000, 500), 1_000)
    board.hear(jobStatus(1_000, 400), 1_000)
    const slow = [batchStatus(1_000, { processingTimeMs: 900, totalDelayMs: 900, records: 20 })]
    board.hear(
      jobStatus(1_000, 400, { id: 'job/slow', name: 'slow', batches: slow, views: [] }),
      1_000,
    )
    board.tick(1_000)
    expect(board.history.recent).toEqual([
      {
        timeMs: 1_000,
        linesPerSecond: 500,
        storedPerSecond: 400,
        countedPerSecond: 30,
        jobs: {
          'job/orders': {
            recordsPerSecond: 10,
            lagMs: 1_021,
            latencyMs: 450,
            schedulingDelayMs: 1,
            processingTimeMs: 20,
            shares: { gender: { '0': 0.75, '1': 0.25 } },
          },
          'job/slow': {
            recordsPerSecond: 20,
            lagMs: 1_900,
            latencyMs: 450,
            schedulingDelayMs: 1,
            processingTimeMs: 900,
            shares: {},
          },
        },
      },
    ])
  })

  test('has no latency for a batch without records, or without timestamps', () => {
    const board = new Board()
    const { latencyMs: _, ...untimed } = batchStatus(0)
    for (const batch of [batchStatus(0, { records: 0, latencyMs: 0 }), untimed]) {
      board.hear(jobStatus(0, 0, { batches: [batch] }), 0)
      board.tick(0)
      expect(board.history.recent.at(-1)!.jobs['job/orders']!.latencyMs).toBeNull()
    }
  })

  test('has no batch figures of a job that is silent or has failed', () => {
    const board = new Board()
    board.hear(jobStatus(0, 0), 0)
    board.tick(60_000)
    board.hear(jobStatus(60_000, 0, { state: 'failed' }), 60_000)
    board.tick(60_000)
    for (const { jobs } of board.history.recent) {
      expect(jobs['job/orders']).toMatchObject({
        recordsPerSecond: null,
        latencyMs: null,
        processingTimeMs: null,
        shares: {},
      })
    }
  })

  test('is bounded, however many jobs and keys there are', () => {
    const board = new Board()
    const rows = Array.from({ length: 500 }, (_, at): [string, number] => [`k${at}`, at + 1])
    const views = [{ ...jobStatus(0, 0).views[0]!, rows }]
    for (let at = 0; at < 200; at++) {
      board.hear(jobStatus(0, 0, { id: `job/${at}`, views }), 0)
    }
    board.tick(0)
    const jobs = Object.values(board.history.recent[0]!.jobs)
    expect(Object.keys(jobs[0]!.shares.gender!)).toHaveLength(mostKeys)
    expect(jobs.length).toBeGreaterThan(5)
    expect(jobs.length * (5 + mostKeys)).toBeLessThanOrEqual(mostFigures)
  })
})

describe('the history', () => {
  test('has a point for each second of five minutes, and for every ten seconds of an hour', () => {
    const history = new History()
    const seconds = recentLength + mergedPoints * (olderLength + 20)
    for (let second = 1; second <= seconds; second++) history.add(point(second * 1_000))
    expect(history.recent.length).toBeGreaterThanOrEqual(recentLength)
    expect(history.recent.length).toBeLessThan(recentLength + mergedPoints)
    expect(history.older).toHaveLength(olderLength)
    const times = [...history.older, ...history.recent].map(({ timeMs }) => timeMs)
    expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(3_590_000)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(new Set(times).size).toBe(times.length)
  })

  test('an older point has mean rates, the longest delays, and gaps for values that were mostly missing', () => {
    const history = new History()
    const job = (lagMs: number | null) => ({
      recordsPerSecond: lagMs,
      lagMs,
      latencyMs: null,
      schedulingDelayMs: 1,
      processingTimeMs: 2,
      shares: { v: { a: 1 } },
    })
    for (let at = 0; at < recentLength + mergedPoints; at++) {
      const jobs = { 'job/a': job(at === 4 ? 900 : 100) }
      history.add(point(at, { linesPerSecond: at < 6 ? null : 5, storedPerSecond: at, jobs }))
    }
    expect(history.older).toEqual([
      point(9, {
        storedPerSecond: 4.5,
        jobs: { 'job/a': { ...job(900), recordsPerSecond: 180 } },
      }),
    ])
  })

  test('a reader that returns gets each point once, also points that were merged meanwhile', () => {
    const history = new History()
    for (let at = 0; at < recentLength; at++) history.add(point(at))
    const end = history.end
    expect(history.since(end)).toEqual({ recent: [], older: [] })
    for (let at = recentLength; at < recentLength + mergedPoints + 3; at++) history.add(point(at))
    const news = history.since(end)
    expect(news.recent.map(({ timeMs }) => timeMs)).toEqual(
      Array.from({ length: mergedPoints + 3 }, (_, at) => recentLength + at),
    )
    expect(news.older.map(({ timeMs }) => timeMs)).toEqual([9])
  })
})
