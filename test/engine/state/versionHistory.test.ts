import { describe, expect, test } from 'vitest'
import { VersionHistory } from '../../../engine/state/versionHistory.ts'

/** Returns the history after these batches; the newest two batches can be undone. */
function after(...batchIds: number[]): VersionHistory {
  let history = new VersionHistory(-1, [])
  for (const batchId of batchIds) history = history.committed(batchId, 2).history
  return history
}

describe('the state from which a batch starts', () => {
  test.each([
    ['the first batch', after(), 0, { undo: [], version: -1 }],
    ['the batch that follows', after(0, 1, 2), 3, { undo: [], version: 2 }],
    ['a batch after a gap', after(0, 1, 2), 9, { undo: [], version: 2 }],
    ['the newest batch again', after(0, 1, 2), 2, { undo: [2], version: 1 }],
    ['the batch before it again', after(0, 1, 2), 1, { undo: [2, 1], version: 0 }],
    ['the only batch again', after(0), 0, { undo: [0], version: -1 }],
    ['a batch that made no version', after(1, 5), 3, { undo: [5], version: 1 }],
  ])('%s', (_what, history, batchId, expected) => {
    expect(history.isConsistent()).toBe(true)
    expect(history.begin(batchId)).toEqual({ kind: 'start', ...expected })
  })

  test('a batch whose start is no longer kept', () => {
    expect(after(0, 1, 2).begin(0)).toEqual({ kind: 'unreachable', oldestBatchId: 1 })
    expect(after(3, 7, 9).begin(3)).toEqual({ kind: 'unreachable', oldestBatchId: 4 })
  })
})

test('a commit drops undo records beyond the number that it keeps', () => {
  expect(after(0).committed(1, 2).forget).toEqual([])
  expect(after(0, 1).committed(2, 2).forget).toEqual([0])
})

test('a version that was rolled back can be committed again', () => {
  const history = after(0, 1, 2).rolledBack([2, 1])
  expect(history.version).toBe(0)
  expect(history.committed(1, 2).history.begin(1)).toMatchObject({ undo: [1], version: 0 })
})

test.each([
  ['an undo of another version', new VersionHistory(2, [{ version: 3, previous: 2 }])],
  [
    'a gap in the chain',
    new VersionHistory(2, [
      { version: 2, previous: 1 },
      { version: 0, previous: -1 },
    ]),
  ],
  ['an undo that leads forward', new VersionHistory(2, [{ version: 2, previous: 2 }])],
  ['a version below none', new VersionHistory(-2, [])],
])('%s is not consistent', (_what, history) => {
  expect(history.isConsistent()).toBe(false)
})
