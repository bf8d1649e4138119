import { describe, expect, test } from 'vitest'
import {
  Board,
  forgottenAfterMs,
  historyLength,
  mostPrograms,
  silentAfterMs,
} from '../../../broker/admin/board.ts'
import type { TopicOverview } from '../../../broker/server/overview.ts'
import type { AgentStatus, JobStatus } from '../../../protocol/telemetry/status.ts'

const agent = (timeMs: number, events: number, more: Partial<AgentStatus> = {}): AgentStatus => ({
  kind: 'agent',
  id: 'agent/h1/a1',
  timeMs,
  name: 'a1',
  host: 'h1',
  sources: [{ name: 'r1', type: 'taildir', eventsReceived: events, eventsAccepted: events }],
  channels: [
    { name: 'c1', type: 'file', size: 25, capacity: 100 },
    { name: 'c2', type: 'memory', size: 10, capacity: 100 },
  ],
  sinks: [{ name: 'k1', type: 'kafka', eventsDrained: events, topic: 'orders' }],
  bytesRead: events * 38,
  ...more,
})

const job = (timeMs: number, recordsTotal: number, more: Partial<JobStatus> = {}): JobStatus => ({
  kind: 'job',
  id: 'job/orders',
  name: 'orders',
  timeMs,
  state: 'running',
  topics: ['orders'],
  batchIntervalMs: 1000,
  lagRecords: 7,
  recordsTotal,
  batches: [
    {
      id: 3,
      timeMs,
      records: 10,
      schedulingDelayMs: 1,
      processingTimeMs: 20,
      totalDelayMs: 21,
      latencyMs: 450,
    },
  ],
  views: [
    {
      name: 'gender',
      title: 'Gender',
      chart: 'share',
      batchId: 3,
      offsets: [],
      rows: [
        ['0', 30],
        ['1', 10],
      ],
    },
  ],
  ...more,
})

const topic = (messagesIn: number, name = 'orders'): TopicOverview => ({
  name,
  id: '00000000-0000-4000-8000-000000000001',
  isInternal: false,
  partitions: [0, 1].map((partition) => ({
    partition,
    logStartOffset: 0,
    highWatermark: messagesIn / 2,
    sizeBytes: messagesIn * 20,
  })),
  messagesInTotal: messagesIn,
  bytesInTotal: messagesIn * 40,
  bytesOutTotal: messagesIn * 80,
})

describe('rates', () => {
  test('are what was counted between two reports, by the reporter’s own clock', () => {
    const board = new Board()
    board.hear(agent(10_000, 1_000), 0)
    expect(board.picture(0).agents[0]).toMatchObject({ linesPerSecond: 0, linesTotal: 1_000 })
    board.hear(agent(12_000, 5_000), 1)
    expect(board.picture(1).agents[0]).toMatchObject({ linesPerSecond: 2_000, linesTotal: 5_000 })
  })

  test('a counter that starts anew gives no negative rate', () => {
    const board = new Board()
    board.hear(agent(1_000, 5_000), 0)
    board.hear(agent(2_000, 10), 1)
    board.hear(agent(3_000, 510), 2)
    expect(board.picture(2).agents[0]!.linesPerSecond).toBe(500)
  })

  test('two reports right after one another are no rate', () => {
    const board = new Board()
    board.hear(agent(1_000, 1_000), 0)
    board.hear(agent(2_000, 3_000), 1)
    board.hear(agent(2_001, 5_000), 2)
    expect(board.picture(2).agents[0]).toMatchObject({ linesPerSecond: 2_000, linesTotal: 5_000 })
    board.hear(agent(3_000, 6_000), 3)
    expect(board.picture(3).agents[0]!.linesPerSecond).toBe(3_000)
  })

  test('a job’s rate is that of its newest batches, whenever it reports', () => {
    const board = new Board()
    const batches = [9_000, 1_000, 2_000, 3_000, 4_000, 5_000].map((records, id) => ({
      ...job(0, 0).batches[0]!,
      id,
      timeMs: id * 500,
      records,
    }))
    board.hear(job(1_000, 24_000, { batches, batchIntervalMs: 500 }), 0)
    expect(board.picture(0).jobs[0]!.recordsPerSecond).toBe(15_000 / 2.5)
    board.hear(job(1_001, 24_000, { batches: [] }), 1)
    expect(board.picture(1).jobs[0]!.recordsPerSecond).toBe(0)
  })

  test('an older report that arrives late changes nothing', () => {
    const board = new Board()
    board.hear(job(2_000, 200), 0)
    board.hear(job(1_000, 100), 1)
    expect(board.picture(1).jobs[0]!.recordsTotal).toBe(200)
  })

  test('topics count by the broker’s counters; one that is deleted is gone', () => {
    const board = new Board()
    board.count([topic(0)], 1_000)
    board.count([topic(3_000)], 3_000)
    expect(board.picture(3_000).topics).toEqual([
      {
        name: 'orders',
        partitions: 2,
        records: 3_000,
        recordsPerSecond: 1_500,
        bytesInPerSecond: 60_000,
        bytesOutPerSecond: 120_000,
      },
    ])
    board.count([], 4_000)
    expect(board.picture(4_000).topics).toEqual([])
  })

  test('internal topics are not shown', () => {
    const board = new Board()
    board.count([topic(2, '__consumer_offsets')], 0)
    expect(board.picture(0).topics).toEqual([])
  })
})

describe('lag', () => {
  const range = (until: number) => [{ topic: 'orders', partition: 1, from: 0, until }]
  const at = (until: number) => ({ views: [{ ...job(0, 0).views[0]!, offsets: range(until) }] })

  test('is what the log has beyond the newest batch, as of now', () => {
    const board = new Board()
    board.hear(job(1_000, 0, at(40)), 0)
    board.count([topic(200)], 1_000)
    expect(board.picture(1_000).jobs[0]!.lagRecords).toBe(60)
    board.count([topic(300)], 2_000)
    expect(board.picture(2_000).jobs[0]!.lagRecords).toBe(110)
    board.hear(job(2_000, 0, at(150)), 3)
    expect(board.picture(2_000).jobs[0]!.lagRecords).toBe(0)
  })

  test('is what the job says before its first batch', () => {
    const board = new Board()
    board.hear(job(1_000, 0, { lagRecords: 12 }), 0)
    expect(board.picture(0).jobs[0]!.lagRecords).toBe(12)
  })
})

describe('programs that say nothing', () => {
  test('are shown as silent, then forgotten', () => {
    const board = new Board()
    board.hear(agent(0, 10), 0)
    board.hear(job(0, 10), 0)
    expect(board.picture(silentAfterMs).agents[0]!.silent).toBe(false)
    expect(board.picture(silentAfterMs + 1).agents[0]!.silent).toBe(true)
    expect(board.picture(silentAfterMs + 1).jobs[0]!.silent).toBe(true)
    board.tick(forgottenAfterMs)
    expect(board.picture(forgottenAfterMs)).toMatchObject({ agents: [], jobs: [] })
  })

  test('a job that has stopped is not silent', () => {
    const board = new Board()
    board.hear(job(0, 10, { state: 'stopped' }), 0)
    expect(board.picture(silentAfterMs + 1).jobs[0]).toMatchObject({
      silent: false,
      state: 'stopped',
    })
  })

  test('never more than mostPrograms are held; the longest unheard makes room', () => {
    const board = new Board()
    for (let at = 0; at <= mostPrograms; at++) board.hear(agent(0, 1, { id: `agent/${at}` }), at)
    const ids = board.picture(0).agents.map(({ id }) => id)
    expect(ids).toHaveLength(mostPrograms)
    expect(ids).not.toContain('agent/0')
    expect(ids).toContain(`agent/${mostPrograms}`)
  })
})

describe('history', () => {
  test('a point has the sums, the newest batch and each key’s share', () => {
    const board = new Board()
    board.hear(agent(0, 0), 0)
    board.hear(agent(1_000, 500), 1_000)
    board.hear(job(0, 0), 0)
    board.hear(job(1_000, 400), 1_000)
    expect(board.tick(1_000)).toEqual({
      timeMs: 1_000,
      linesPerSecond: 500,
      recordsPerSecond: 10,
      bytesInPerSecond: 0,
      lagRecords: 7,
      latencyMs: 450,
      schedulingDelayMs: 1,
      processingTimeMs: 20,
      shares: { 'orders/gender': { '0': 0.75, '1': 0.25 } },
    })
  })

  test('an empty batch has no latency', () => {
    const board = new Board()
    const empty = { ...job(0, 0).batches[0]!, records: 0, latencyMs: 0 }
    board.hear(job(0, 0, { batches: [empty] }), 0)
    expect(board.tick(0).latencyMs).toBeNull()
  })

  test('is bounded', () => {
    const board = new Board()
    for (let second = 0; second < historyLength + 10; second++) board.tick(second * 1000)
    expect(board.history).toHaveLength(historyLength)
    expect(board.history[0]!.timeMs).toBe(10_000)
  })
})
