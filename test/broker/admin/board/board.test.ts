import { describe, expect, test } from 'vitest'
import { Board, mostTopics } from '../../../../broker/admin/board/board.ts'
import type { LedgerPicture } from '../../../../broker/admin/board/picture.ts'
import {
  forgottenAfterMs,
  lateAfterMs,
  missedAfterMs,
  mostPrograms,
  silentAfterMs,
} from '../../../../broker/admin/board/programs.ts'
import { quietAfterMs } from '../../../../broker/admin/board/topicSamples.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { agentStatus, batchStatus, jobStatus, topic } from './boardInput.ts'

describe('rates', () => {
  test('are computed between two reports, with the clock of the reporter', () => {
    const board = new Board()
    board.hear(agentStatus(10_000, 1_000), 0)
    expect(board.tick(0).agents[0]).toMatchObject({ linesPerSecond: null, linesTotal: 1_000 })
    board.hear(agentStatus(12_000, 5_000), 1)
    expect(board.tick(1).agents[0]).toMatchObject({ linesPerSecond: 2_000, linesTotal: 5_000 })
  })

  test('a restarted counter has no rate until its second report', () => {
    const board = new Board()
    board.hear(agentStatus(1_000, 5_000), 0)
    board.hear(agentStatus(2_000, 10), 1)
    expect(board.tick(1).agents[0]!.linesPerSecond).toBeNull()
    board.hear(agentStatus(3_000, 510), 2)
    expect(board.tick(2).agents[0]!.linesPerSecond).toBe(500)
  })

  test('two reports in quick succession give no rate', () => {
    const board = new Board()
    board.hear(agentStatus(1_000, 1_000), 0)
    board.hear(agentStatus(2_000, 3_000), 1)
    board.hear(agentStatus(2_001, 5_000), 2)
    expect(board.tick(2).agents[0]).toMatchObject({ linesPerSecond: 2_000, linesTotal: 5_000 })
    board.hear(agentStatus(3_000, 6_000), 3)
    expect(board.tick(3).agents[0]!.linesPerSecond).toBe(3_000)
  })

  test('a late report leaves a gap instead of the previous rate', () => {
    const board = new Board()
    board.hear(agentStatus(1_000, 0), 1_000)
    board.hear(agentStatus(2_000, 500), 2_000)
    board.tick(2_000 + lateAfterMs)
    expect(board.picture.agents[0]!.linesPerSecond).toBe(500)
    board.tick(2_001 + lateAfterMs)
    expect(board.picture.agents[0]!.linesPerSecond).toBeNull()
    expect(board.history.recent.map((point) => point.linesPerSecond)).toEqual([500, null])
  })

  test('the rate of a job is that of its newest batches, whenever the job reports', () => {
    const board = new Board()
    const batches = [9_000, 1_000, 2_000, 3_000, 4_000, 5_000].map((records, id) =>
      batchStatus(id * 500, { id, records }),
    )
    board.hear(jobStatus(1_000, 24_000, { batches, batchIntervalMs: 500 }), 0)
    expect(board.tick(0).jobs[0]!.recordsPerSecond).toBe(15_000 / 2.5)
    board.hear(jobStatus(1_001, 24_000, { batches: [] }), 1)
    expect(board.tick(1).jobs[0]!.recordsPerSecond).toBeNull()
  })

  test('an older report that arrives late is ignored', () => {
    const board = new Board()
    board.hear(jobStatus(2_000, 200), 0)
    board.hear(jobStatus(1_000, 100), 1)
    expect(board.tick(1).jobs[0]!.recordsTotal).toBe(200)
  })
})

describe('topics', () => {
  test('have the figures of the broker, and are removed when they are deleted', () => {
    const board = new Board()
    board.count([topic(0)], 1_000)
    board.count([topic(3_000)], 3_000)
    expect(board.tick(3_000).topics).toEqual([
      {
        name: 'orders',
        partitions: 1,
        offlinePartitions: 0,
        records: 3_000,
        recordsPerSecond: 1_500,
        bytesInPerSecond: 60_000,
        bytesOutPerSecond: 120_000,
        quiet: false,
      },
    ])
    board.count([], 4_000)
    expect(board.tick(4_000).topics).toEqual([])
  })

  test('internal topics are not shown', () => {
    const board = new Board()
    board.count([topic(2, '__consumer_offsets')], 0)
    expect(board.tick(0).topics).toEqual([])
  })

  test('topics in use come first, in an order independent of traffic', () => {
    const board = new Board()
    const names = () => board.picture.topics.map(({ name, quiet }) => (quiet ? `(${name})` : name))
    const count = (a: number, b: number, nowMs: number) =>
      board.count([topic(a, 't-10'), topic(b, 't-9'), topic(5, 't-1'), topic(0)], nowMs)
    board.hear(agentStatus(0, 0), 0)
    count(0, 0, 0)
    count(7, 0, 1_000)
    board.tick(1_000)
    // `orders` has no traffic, but an agent sends to it.
    expect(names()).toEqual(['orders', 't-10', '(t-1)', '(t-9)'])
    count(7, 9_000, 2_000)
    board.tick(2_000)
    expect(names()).toEqual(['orders', 't-9', 't-10', '(t-1)'])
    board.count([topic(7, 't-10')], 1_000 + quietAfterMs)
    board.tick(1_000 + quietAfterMs)
    expect(names()).toEqual(['(t-10)'])
  })

  test('are bounded in number in a picture, which also has their total', () => {
    const board = new Board()
    board.count(
      Array.from({ length: mostTopics + 7 }, (_, at) => topic(0, `t${at}`)),
      0,
    )
    board.tick(0)
    expect(board.picture.topics).toHaveLength(mostTopics)
    expect(board.picture.topicsTotal).toBe(mostTopics + 7)
  })
})

describe('the lag of a job', () => {
  const positions = (until: number) => [{ topic: 'orders', partition: 0, until }]

  test('in records is the number of stored records that the job has not counted', () => {
    const board = new Board()
    board.count([topic(100)], 1_000)
    board.hear(jobStatus(1_000, 40), 1_000)
    expect(board.tick(1_000).jobs[0]!.lagRecords).toBe(60)
    board.count([topic(150)], 2_000)
    expect(board.tick(2_000).jobs[0]!.lagRecords).toBe(110)
    board.hear(jobStatus(2_000, 150), 2_000)
    expect(board.tick(2_000).jobs[0]!.lagRecords).toBe(0)
  })

  test('in time does not depend on the moment within a batch interval', () => {
    const board = new Board()
    const lags = new Set<number | null>()
    for (let ms = 0; ms <= 5_000; ms += 50) {
      board.count([topic(1 + ms)], ms)
      if (ms % 500 === 50) {
        const planned = ms - 50
        const batches = [batchStatus(planned, { totalDelayMs: 20 })]
        const status = { batches, batchIntervalMs: 500, positions: positions(1 + planned) }
        board.hear(jobStatus(ms, 1 + planned, status), ms)
      }
      if (ms > 600) lags.add(board.tick(ms).jobs[0]!.lagMs)
    }
    expect([...lags]).toEqual([520])
  })

  test('in time grows while no batch is reported, and is 0 when there is nothing to count', () => {
    const board = new Board()
    board.hear(jobStatus(1_000, 100), 1_000)
    board.count([topic(100)], 1_000)
    expect(board.tick(60_000).jobs[0]!.lagMs).toBe(1_021)
    board.count([topic(101)], 60_000)
    expect(board.tick(61_000).jobs[0]!.lagMs).toBe(60_000)
    const idle = [batchStatus(62_000, { records: 0 })]
    board.hear(jobStatus(62_000, 101, { batches: idle }), 62_000)
    expect(board.tick(62_000).jobs[0]!.lagMs).toBe(0)
  })

  test('in time is the age of the records read, while a batch leaves records for the next one', () => {
    const board = new Board()
    const batches = [batchStatus(1_000, { latencyMs: 3_600_000 })]
    board.count([topic(1_000)], 1_000)
    board.hear(jobStatus(1_000, 100, { batches, lagRecords: 900 }), 1_000)
    expect(board.tick(1_000).jobs[0]!.lagMs).toBe(3_600_000)
  })

  test('is the reported one before the first batch', () => {
    const board = new Board()
    board.hear(jobStatus(1_000, 0, { lagRecords: 12, positions: [], batches: [] }), 0)
    expect(board.tick(0).jobs[0]).toMatchObject({ lagRecords: 12, lagMs: null, latencyMs: null })
  })
})

describe('the moment of a picture', () => {
  test('is that of the reports of the agents, for all counts', () => {
    const board = new Board()
    board.count([topic(1_000)], 1_000)
    board.hear(jobStatus(1_000, 900), 1_000)
    board.hear(agentStatus(1_100, 1_050), 1_110)
    board.count([topic(2_000)], 1_900)
    board.hear(jobStatus(1_900, 1_950), 1_900)
    expect(board.tick(2_000)).toMatchObject({
      timeMs: 2_000,
      momentMs: 1_000,
      topics: [{ records: 1_000 }],
      jobs: [{ recordsTotal: 900, lagRecords: 100 }],
      agents: [{ linesTotal: 1_050 }],
      ledgers: [{ read: 1_050, stored: 1_000, counted: 900, waiting: 100, onTheWay: 50 }],
    })
  })

  test('does not change until the next tick, whatever is reported meanwhile', () => {
    const board = new Board()
    board.count([topic(10)], 0)
    const picture = board.tick(0)
    board.hear(jobStatus(500, 20), 500)
    board.count([topic(30)], 600)
    expect(board.picture).toBe(picture)
    expect(board.picture.topics[0]!.records).toBe(10)
  })

  test('is not delayed by an agent that is late or has a wrong clock', () => {
    const board = new Board()
    board.hear(agentStatus(1_000, 5), 1_000)
    board.hear(agentStatus(900_000_000, 5, { id: 'agent/ahead' }), 9_900)
    board.hear(agentStatus(5, 5, { id: 'agent/behind' }), 9_900)
    for (let ms = 0; ms <= 10_000; ms += 250) board.count([topic(ms)], ms)
    expect(board.tick(10_000).momentMs).toBe(7_750)
  })

  test('ledgers balance at every tick, whenever the programs of a pipeline report', () => {
    for (let seed = 1; seed <= 200; seed++) expectBalance(seed)
  })

  /** Two agents and other producers write to a topic, and a job counts its records. */
  function expectBalance(seed: number): void {
    const random = seededRandom(seed)
    const below = (limit: number) => random.uint32() % limit
    const board = new Board()
    const others = below(2) * 500
    const read = [0, 0]
    const drained = [0, 0]
    let [foreign, counted] = [others, 0]
    const stored = () => drained[0]! + drained[1]! + foreign
    for (let ms = 10_000; ms < 20_000; ms += 50) {
      for (const at of [0, 1]) {
        read[at]! += below(200)
        // Sometimes the broker is unreachable, and the channel fills.
        if (ms % 3_000 > 800) drained[at]! += below(1 + read[at]! - drained[at]!)
        if (below(10) === 0 || ms % 1_000 === 450) {
          const size = read[at]! - drained[at]!
          const channels = [{ name: 'c', type: 'file', size, capacity: 100_000 }]
          const id = `agent/${at}`
          board.hear(agentStatus(ms, read[at]!, { id, channels }), ms)
        }
      }
      if (others > 0 && below(5) === 0) foreign += below(50)
      if (below(4) === 0) counted += below(1 + stored() - counted)
      if (below(4) === 0) board.hear(jobStatus(ms, counted), ms)
      if (below(5) === 0) board.count([topic(stored())], ms)
      if (ms % 1_000 === 0) for (const ledger of board.tick(ms).ledgers) expectBalanced(ledger)
    }
    const [ledger] = board.picture.ledgers
    expect(ledger!.counted).toBeGreaterThan(0)
    if (others === 0) expect(ledger!.elsewhere).toBe(0)
  }

  function expectBalanced(ledger: LedgerPicture): void {
    const { read, elsewhere, onTheWay, stored, before, counted, waiting } = ledger
    expect(read + elsewhere).toBe(stored + onTheWay)
    expect(stored).toBe(before + counted + waiting)
    expect(
      Math.min(read, elsewhere, onTheWay, stored, before, counted, waiting),
    ).toBeGreaterThanOrEqual(0)
  }

  test('events in channels count as on the way, however much other producers write', () => {
    const board = new Board()
    board.count([topic(100_000)], 0)
    board.hear(jobStatus(0, 100_000), 0)
    expect(board.tick(0).ledgers).toMatchObject([{ read: 0, elsewhere: 100_000 }])
    board.hear(agentStatus(1_000, 5_000), 1_000)
    expect(board.tick(1_000).ledgers).toMatchObject([
      { read: 5_000, onTheWay: 0, elsewhere: 95_000, stored: 100_000 },
    ])
    board.hear(agentStatus(2_000, 5_070), 2_000)
    expect(board.tick(2_000).ledgers).toMatchObject([
      { read: 5_070, onTheWay: 70, elsewhere: 95_000, stored: 100_000 },
    ])
  })

  test('lines of a late agent count as records from elsewhere only until its next report', () => {
    const board = new Board()
    for (let ms = 0; ms <= 10_000; ms += 500) {
      board.count([topic(ms)], ms)
      board.hear(jobStatus(ms, ms), ms)
      if (ms <= 3_000 || ms === 10_000) board.hear(agentStatus(ms, ms), ms)
      if (ms % 1_000 === 0) board.tick(ms)
      if (ms === 9_000) {
        expect(board.picture.ledgers).toMatchObject([{ read: 3_000, elsewhere: 6_000 }])
      }
    }
    expect(board.picture.ledgers).toMatchObject([{ read: 10_000, elsewhere: 0, onTheWay: 0 }])
  })

  test('a recreated topic starts a new ledger', () => {
    const board = new Board()
    board.count([topic(100_000)], 0)
    board.hear(jobStatus(0, 100_000), 0)
    board.hear(agentStatus(0, 5_000), 0)
    board.tick(0)
    board.count([topic(10)], 1_000)
    board.hear(agentStatus(1_000, 5_010), 1_000)
    expect(board.tick(1_000).ledgers).toMatchObject([{ read: 5_010, elsewhere: 0, stored: 10 }])
  })

  test('lines that an agent read before its restart are still counted', () => {
    const board = new Board()
    board.count([topic(1_500)], 0)
    board.hear(jobStatus(0, 1_500), 0)
    board.hear(agentStatus(1_000, 1_000), 1_000)
    board.hear(agentStatus(5_000, 500), 5_000)
    expect(board.tick(5_000)).toMatchObject({
      agents: [{ linesTotal: 500 }],
      ledgers: [{ read: 1_500, elsewhere: 0, onTheWay: 0 }],
    })
  })
})

test('a clock that is set back neither stops the board nor lets it grow', () => {
  const board = new Board()
  const hour = 3_600_000
  let [lines, ms] = [0, 2 * hour]
  const second = () => {
    ms += 1_000
    lines += 100
    for (const part of [750, 500, 250, 0]) board.count([topic(lines)], ms - part)
    board.hear(agentStatus(ms, lines), ms)
    board.hear(jobStatus(ms, lines), ms)
    return board.tick(ms)
  }
  for (let at = 0; at < 20; at++) second()
  ms -= hour
  for (let at = 0; at < 20; at++) second()
  const [agent] = board.picture.agents
  expect(agent).toMatchObject({ linesTotal: lines, linesPerSecond: 100, silent: false })
  expect(board.picture.topics[0]).toMatchObject({ records: lines, recordsPerSecond: 100 })
  expect(board.picture.jobs[0]!.recordsTotal).toBe(lines)
  const times = board.history.recent.map(({ timeMs }) => timeMs)
  board.tick(ms - hour)
  expect(board.tick(ms - hour + silentAfterMs + 1).agents[0]!.silent).toBe(true)
  expect(times).toHaveLength(20)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

describe('programs that no longer report', () => {
  test('are shown as silent for a day, and then removed', () => {
    const board = new Board()
    board.hear(agentStatus(0, 10), 0)
    board.hear(jobStatus(0, 10), 0)
    expect(board.tick(silentAfterMs).agents[0]!.silent).toBe(false)
    expect(board.tick(silentAfterMs + 1).agents[0]!.silent).toBe(true)
    expect(board.picture.jobs[0]).toMatchObject({ silent: true, recordsPerSecond: null })
    expect(board.tick(missedAfterMs - 1).agents).toHaveLength(1)
    expect(board.tick(missedAfterMs)).toMatchObject({ agents: [], jobs: [] })
  })

  test('that were stopped are not silent, and are removed after ten minutes', () => {
    const board = new Board()
    board.hear(jobStatus(0, 10, { state: 'stopped' }), 0)
    board.hear(agentStatus(0, 10, { state: 'stopped' }), 0)
    board.tick(silentAfterMs + 1)
    expect(board.picture.jobs[0]).toMatchObject({ silent: false, state: 'stopped' })
    expect(board.picture.agents[0]).toMatchObject({ silent: false, state: 'stopped' })
    expect(board.picture.problems).toEqual([])
    expect(board.tick(forgottenAfterMs)).toMatchObject({ agents: [], jobs: [] })
  })

  test('are bounded by mostPrograms; the program with the oldest report is removed', () => {
    const board = new Board()
    for (let at = 0; at <= mostPrograms; at++)
      board.hear(agentStatus(0, 1, { id: `agent/${at}` }), at)
    const ids = board.tick(0).agents.map(({ id }) => id)
    expect(ids).toHaveLength(mostPrograms)
    expect(ids).not.toContain('agent/0')
    expect(ids).toContain(`agent/${mostPrograms}`)
  })

  test('keep their order, which is numeric: web-2 comes before web-10', () => {
    const board = new Board()
    for (const id of ['agent/web-10', 'agent/web-2']) board.hear(agentStatus(0, 1, { id }), 0)
    board.hear(agentStatus(1, 1, { id: 'agent/web-2' }), 1)
    expect(board.tick(1).agents.map(({ id }) => id)).toEqual(['agent/web-2', 'agent/web-10'])
  })
})

test('a view with many keys shows its largest rows and the number of the others', () => {
  const board = new Board()
  const rows = Array.from({ length: 90 }, (_, at): [string, number] => [`k${at}`, at])
  const view = { ...jobStatus(0, 0).views[0]!, rows }
  board.hear(jobStatus(0, 0, { views: [view] }), 0)
  const [shown] = board.tick(0).jobs[0]!.views
  expect(shown!.rows).toEqual(rows.slice(40))
  expect(shown).toMatchObject({ rowsLeftOut: 40, total: (89 * 90) / 2 })
})
