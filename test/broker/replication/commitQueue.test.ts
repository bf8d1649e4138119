// Appends that wait for the high watermark, against a list: each is answered once, when it is
// committed and not before, in the order of the offsets.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommitQueue } from '../../../broker/replication/commitQueue.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), offset: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('commit' as const), offset: fc.integer({ min: 0, max: 10 }) }),
  fc.record({ kind: fc.constant('refuse' as const) }),
)

test('each append is answered once, in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new CommitQueue()
      let waiting: { readonly id: number; readonly offset: number }[] = []
      let answers: [id: number, errorCode: number][] = []
      let highWatermark = 0
      for (const [id, next] of steps.entries()) {
        answers = []
        if (next.kind === 'add') {
          const offset = highWatermark + next.offset
          queue.add(offset, (errorCode) => answers.push([id, errorCode]))
          waiting.push({ id, offset })
          expect(answers).toEqual([])
        } else if (next.kind === 'commit') {
          highWatermark += next.offset
          queue.committed(highWatermark)
          const committed = waiting.filter(({ offset }) => offset <= highWatermark)
          waiting = waiting.filter(({ offset }) => offset > highWatermark)
          committed.sort((one, other) => one.offset - other.offset || one.id - other.id)
          expect(answers).toEqual(committed.map((each) => [each.id, ErrorCode.none]))
        } else {
          queue.refuse(ErrorCode.notLeaderOrFollower)
          expect(answers.map(([each]) => each).sort()).toEqual(
            waiting.map((each) => each.id).sort(),
          )
          waiting = []
        }
        expect(queue.size).toBe(waiting.length)
      }
    }),
  )
})

test('is full at its bound, and no longer once appends are committed', () => {
  const queue = new CommitQueue()
  for (let offset = 1; offset < 65_536; offset++) queue.add(offset, () => {})
  expect(queue.isFull).toBe(false)
  queue.add(65_536, () => {})
  expect(queue.isFull).toBe(true)
  queue.committed(1)
  expect(queue.isFull).toBe(false)
})
