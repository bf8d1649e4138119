// The board on a terminal, checked with a terminal model that gets the same bytes.

import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import { Board } from '../../../../broker/admin/board/board.ts'
import { HeldMessages, showOnTerminal } from '../../../../broker/admin/terminal/terminalScreen.ts'
import { table } from '../../../../broker/admin/terminal/terminalTable.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { agentStatus, jobStatus, topic } from '../board/boardInput.ts'
import { TerminalModel } from './terminalModel.ts'

const url = 'http://127.0.0.1:8080/'
const title = `${url}  Kafka: 127.0.0.1:9092, topic orders`

/** Returns a board like that of the demo after some minutes. */
function demoBoard(clock: ManualClock): Board {
  const board = new Board()
  const nowMs = clock.nowMs()
  const rows = ['', '0', '2', '3', '4', '5', '6', '7', '8'].map((key, at): [string, number] => [
    key,
    at * 1_234,
  ])
  const view = { ...jobStatus(0, 0).views[0]!, chart: 'bar' as const, rows }
  const views = [
    { ...view, name: 'age', title: 'Purchases by age range' },
    { ...view, name: 'gender', title: 'Purchases by gender', rows: rows.slice(0, 4) },
  ]
  board.count([topic(498_416)], nowMs)
  board.hear(agentStatus(nowMs, 498_416, { name: 'orders' }), nowMs)
  const job = { name: 'order-demographics', views }
  board.hear(jobStatus(nowMs, 498_000, job), nowMs)
  board.tick(nowMs)
  return board
}

function shownOn(terminal: TerminalModel, fill: (board: Board, nowMs: number) => void = () => {}) {
  const clock = new ManualClock()
  const board = demoBoard(clock)
  fill(board, clock.nowMs())
  board.tick(clock.nowMs())
  const shown = showOnTerminal({
    board,
    clock,
    output: terminal,
    isScreen: true,
    title,
    color: true,
  })
  return { clock, board, shown }
}

describe('the screen', () => {
  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
    [200, 50],
    [20, 3],
    [10, 1],
    [1, 1],
    [300, 5],
  ] as const) {
    test(`fits ${columns} by ${rows}, and does not change when it is drawn again`, () => {
      const terminal = new TerminalModel(columns, rows)
      const { clock } = shownOn(terminal)
      const first = terminal.screen
      expect(first[0]).toBe(columns < title.length ? first[0] : title)
      expect(first[0]!.slice(0, columns - 1)).toBe(title.slice(0, columns - 1))
      clock.advance(10_000)
      expect(terminal.screen).toEqual(first)
      expect(terminal.scrolled).toBe(0)
    })
  }

  test('at 80 by 24 has the address, the state, every program and the results', () => {
    const terminal = new TerminalModel(80, 24)
    shownOn(terminal)
    const text = terminal.screen.join('\n')
    expect(terminal.screen[0]).toContain(url)
    expect(terminal.screen[1]).toBe('all is well')
    for (const part of [
      'agent',
      'topic',
      'job',
      'ledger',
      'Purchases by age range: 44,424',
      '50',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).toMatch(/ledger 498,416 read = 498,000 counted \+ 416 waiting/)
    expect(text).toContain('Purchases by gender')
  })

  test('adapts to the size of the terminal immediately, and leaves no old lines', () => {
    const terminal = new TerminalModel(200, 50)
    shownOn(terminal)
    for (const [columns, rows] of [
      [80, 24],
      [40, 10],
      [13, 4],
      [120, 40],
    ] as const) {
      terminal.resize(columns, rows)
      const fresh = new TerminalModel(columns, rows)
      shownOn(fresh)
      expect(terminal.screen).toEqual(fresh.screen)
      expect(terminal.scrolled).toBe(0)
    }
  })

  test('leaves nothing of a removed program', () => {
    const terminal = new TerminalModel(80, 24)
    const { board, clock } = shownOn(terminal)
    board.delete('job/orders')
    board.tick(clock.nowMs())
    clock.advance(1_000)
    expect(terminal.screen.filter((line) => line !== '')).toHaveLength(4)
  })

  test('shows problems first', () => {
    const terminal = new TerminalModel(80, 24)
    shownOn(terminal, (board, nowMs) => {
      const error = 'TypeError: cannot read age\n  at row'
      board.hear(
        jobStatus(nowMs, 1, { id: 'job/x', name: 'alerts', state: 'failed', error }),
        nowMs,
      )
    })
    expect(terminal.screen.slice(0, 3)).toEqual([
      title,
      'NOT WELL  1 problem',
      '  ! job alerts FAILED: TypeError: cannot read age',
    ])
    const text = terminal.screen.join('\n')
    expect(text).toMatch(/job {4}alerts +failed +1 counted: TypeError: cannot read age$/m)
    // With several jobs, a result has the name of its job.
    expect(text).toContain('order-demographics: Purchases by age range')
    expect(text).toContain('ledger order-demographics: 498,416 read = ')
  })

  test('shows at 80 by 24 what a slow batch is doing, and the rejected and lost records', () => {
    const terminal = new TerminalModel(80, 24)
    shownOn(terminal, (board, nowMs) => {
      const progress = {
        text: 'batch 17 for 45 s, partition 3 of stage 2 (map)',
        ...{ batchId: 17, sinceMs: nowMs - 45_000 },
      }
      const rejected = { total: 12, topics: [{ topic: 'orders', records: 12 }], first: [] }
      board.hear(jobStatus(nowMs, 1, { id: 'job/a', name: 'slow', progress }), nowMs)
      const lossy = { id: 'job/b', name: 'lossy', rejected, lostRecords: 7 }
      board.hear(jobStatus(nowMs, 1, lossy), nowMs)
    })
    const text = terminal.screen.join('\n')
    expect(text).toContain('! job slow: batch 17 for 45 s, partition 3 of stage 2 (map)')
    expect(text).toMatch(/^ {2}job {4}slow .* batch 17 for 45 s, parti/m)
    expect(text).toMatch(/^ {2}job {4}lossy .* 12 rejected, 7 lost, /m)
  })

  test('shows many problems in only a part of the rows', () => {
    const terminal = new TerminalModel(80, 24)
    shownOn(terminal, (board, nowMs) => {
      for (let at = 0; at < 30; at++) {
        const job = { id: `job/${at}`, name: `j${at}`, state: 'failed' as const }
        board.hear(jobStatus(nowMs, 1, job), nowMs)
      }
    })
    const text = terminal.screen.join('\n')
    expect(text).toContain('NOT WELL  30 problems')
    expect(text).toContain('… 25 more problems: see the page')
    expect(text).toContain('agent  orders')
  })

  test('keeps its layout with wide characters, and with control characters in names', () => {
    const terminal = new TerminalModel(44, 12)
    const rows: [string, number][] = [
      ['二十五歳から二十九歳まで女性の購入者', 5],
      ['👩‍👩‍👧‍👦 family', 3],
      ['e\u0301\u0301 \x1b[2J\x1b[1;1H\r\n\u202eevil', 2],
    ]
    shownOn(terminal, (board, nowMs) => {
      const views = [{ ...jobStatus(0, 0).views[0]!, chart: 'bar' as const, rows }]
      board.hear(jobStatus(nowMs, 498_000, { name: '注文\x07の統計', views }), nowMs)
    })
    expect(terminal.screen[0]).toContain(url)
    expect(terminal.scrolled).toBe(0)
    const bars = terminal.screen.filter((line) => line.endsWith(' %'))
    expect(bars).toHaveLength(3)
    expect(new Set(bars.map((line) => stringWidth(line))).size).toBe(1)
    expect(terminal.screen.join('\n')).toContain('注文�の統計')
  })

  test('shows quiet topics together in one line', () => {
    const terminal = new TerminalModel(80, 24)
    shownOn(terminal, (board, nowMs) => {
      const others = Array.from({ length: 299 }, (_, at) => topic(0, `t${at}`))
      board.count([topic(498_416), ...others], nowMs)
    })
    expect(terminal.screen.join('\n')).toContain('topics 299 quiet ones')
    expect(terminal.screen.join('\n')).toContain('Purchases by age range')
  })

  test('is restored at the end, once', () => {
    const terminal = new TerminalModel(80, 24)
    const { clock, shown } = shownOn(terminal)
    expect(terminal.isAlternate).toBe(true)
    shown.close()
    expect(terminal.isAlternate).toBe(false)
    const { written } = terminal
    shown.close()
    clock.advance(5_000)
    terminal.resize(40, 10)
    expect(terminal.written).toBe(written)
    expect(terminal.listeners).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('output that is no terminal', () => {
  test('gets complete tables in plain text at intervals', () => {
    const clock = new ManualClock()
    const texts: string[] = []
    const output = { write: (text: string) => texts.push(text), on: () => {}, off: () => {} }
    const shown = showOnTerminal({
      board: demoBoard(clock),
      clock,
      output,
      isScreen: false,
      title,
      color: true,
    })
    clock.advance(31_000)
    expect(texts).toHaveLength(4)
    expect(texts[0]).toMatch(/^http:\/\/127\.0\.0\.1:8080\/ /)
    expect(texts[0]).toContain('498,000 counted, 1.0 s behind, line to result 450 ms, batch 20 ms')
    expect(texts.join('')).not.toContain('\x1b')
    expect(texts.join('')).not.toContain('…')
    shown.close()
    clock.advance(31_000)
    expect(texts).toHaveLength(4)
  })
})

test('each view of the final report is a separate table', () => {
  const view = { ...jobStatus(0, 0).views[0]!, chart: 'bar' as const, labels: { '0': 'women' } }
  expect(table(view)).toEqual([
    '  Gender: 40',
    `    women    ${'█'.repeat(24)}      30  75.0 %`,
    `    1        ${'█'.repeat(8)}${'·'.repeat(16)}      10  25.0 %`,
  ])
})

describe('messages while the board is on the terminal', () => {
  test('are written afterwards, in order; beyond the bound they are dropped and counted', () => {
    const texts: string[] = []
    const messages = new HeldMessages({ write: (text) => texts.push(text) })
    messages.write('before\n')
    messages.hold()
    for (let at = 0; at < 1_003; at++) messages.write(`m${at}\n`)
    expect(texts).toEqual(['before\n'])
    messages.release()
    messages.write('after\n')
    expect(texts.slice(0, 4)).toEqual(['before\n', '(3 older messages dropped)\n', 'm3\n', 'm4\n'])
    expect(texts.slice(-2)).toEqual(['m1002\n', 'after\n'])
  })
})
