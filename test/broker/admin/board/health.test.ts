import { expect, test } from 'vitest'
import { Board } from '../../../../broker/admin/board/board.ts'
import { agentStatus, batchStatus, jobStatus, partition, topic } from './boardInput.ts'

/** A board on which all is well at 100 s. */
function wellBoard(): Board {
  const board = new Board()
  board.count([topic(1_000)], 100_000)
  board.hear(agentStatus(100_000, 1_000), 100_000)
  board.hear(jobStatus(100_000, 1_000), 100_000)
  return board
}

const texts = (board: Board, nowMs = 100_000) => board.tick(nowMs).problems.map(({ text }) => text)

test('a board on which all is well has no problems', () => {
  expect(texts(wellBoard())).toEqual([])
})

test('a failed job is reported with its error, in one line', () => {
  const board = wellBoard()
  const error = 'TypeError: x is undefined at orders/1@48213\n    at row'
  board.hear(jobStatus(100_000, 1_000, { state: 'failed', error }), 100_000)
  expect(board.tick(100_000).problems).toEqual([
    {
      subject: 'job',
      id: 'job/orders',
      text: 'job orders FAILED: TypeError: x is undefined at orders/1@48213',
    },
  ])
  // The failure is still reported hours later.
  expect(texts(board, 20_000_000)[0]).toContain('job orders FAILED')
})

test('silent agents and jobs are reported with the duration', () => {
  expect(texts(wellBoard(), 141_000)).toEqual([
    'job orders silent for 41 s',
    'agent a1 silent for 41 s',
  ])
})

test('a nearly full channel and a stalled sink are reported', () => {
  const board = wellBoard()
  const full = { channels: [{ name: 'c1', type: 'file', size: 99, capacity: 100 }] }
  board.hear(agentStatus(100_000, 1_000, full), 100_000)
  expect(texts(board)).toEqual(['agent a1: channel c1 is 99 % full'])
  board.hear(jobStatus(120_000, 1_000), 120_000)
  board.hear(agentStatus(120_000, 1_000, full), 120_000)
  expect(texts(board, 120_000)).toEqual([
    'agent a1: no sink has sent for 20 s, channel c1 is 99 % full',
  ])
  // The sink sends again.
  const sinks = [{ name: 'k1', type: 'kafka', eventsDrained: 1_050, topic: 'orders' }]
  board.hear(agentStatus(121_000, 1_100, { sinks }), 121_000)
  expect(texts(board, 121_000)).toEqual([])
})

test('a channel that is not quite full is never reported as 100 % full', () => {
  const board = wellBoard()
  const channels = [{ name: 'c1', type: 'file', size: 99_999, capacity: 100_000 }]
  board.hear(agentStatus(100_000, 1_000, { channels }), 100_000)
  expect(texts(board)).toEqual(['agent a1: channel c1 is 99.9 % full'])
})

test('a topic with partitions without a leader is reported', () => {
  const board = wellBoard()
  const offline = partition(0, { partition: 1, isOffline: true })
  board.count([{ ...topic(1_000), partitions: [partition(1_000), offline] }], 100_000)
  expect(texts(board)).toEqual(['topic orders has no leader for 1 of 2 partitions'])
})

test('a job that is behind is reported, and one whose batches exceed the interval', () => {
  const board = wellBoard()
  board.count([topic(2_000)], 100_000)
  const late = [batchStatus(60_000)]
  board.hear(jobStatus(100_000, 1_000, { batches: late }), 100_000)
  expect(texts(board)).toEqual(['job orders is 40 s behind'])
  const slow = Array.from({ length: 5 }, () => batchStatus(99_500, { processingTimeMs: 1_400 }))
  board.hear(jobStatus(100_000, 2_000, { batches: slow }), 100_000)
  expect(texts(board)).toEqual(['job orders: batches take 1.4 s, the interval is 1.0 s'])
  board.hear(
    jobStatus(100_000, 2_000, { batches: [...slow.slice(1), batchStatus(99_900)] }),
    100_000,
  )
  expect(texts(board)).toEqual([])
})

test('an unreachable broker is reported first', () => {
  const board = wellBoard()
  board.hear(jobStatus(100_000, 1_000, { state: 'failed' }), 100_000)
  board.brokerProblems = ['broker unreachable for 4.0 s']
  expect(texts(board)).toEqual(['broker unreachable for 4.0 s', 'job orders FAILED'])
  board.brokerProblems = []
  expect(texts(board)).toEqual(['job orders FAILED'])
})

test('a batch that hangs is reported instead of the lag that it causes', () => {
  const text = 'batch 17 for 60 s, partition 3 of stage 2 (map)'
  const progress = (sinceMs: number) => ({ progress: { text, batchId: 17, sinceMs } })
  const board = wellBoard()
  board.hear(jobStatus(101_000, 1_000, progress(100_500)), 101_000)
  expect(board.tick(101_000).jobs[0]!.slowBatch).toBeUndefined()
  board.hear(jobStatus(102_000, 1_000, progress(90_000)), 102_000)
  expect(texts(board, 102_000)).toEqual([])
  expect(board.tick(102_000).jobs[0]!.slowBatch).toEqual({ text, runningMs: 12_000 })
  board.hear(jobStatus(103_000, 1_000, progress(43_000)), 103_000)
  expect(texts(board, 103_000)).toEqual([`job orders: ${text}`])
})
