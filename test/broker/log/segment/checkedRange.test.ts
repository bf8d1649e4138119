// Bytes of a range count as verified if all of them were verified, and recently.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { believedForMs, CheckedRange } from '../../../../broker/log/segment/checkedRange.ts'

const span = fc.tuple(fc.nat({ max: 50 }), fc.integer({ min: 1, max: 20 }))
const step = fc.record({
  kind: fc.constantFrom('add' as const, 'ask' as const),
  span,
  afterMs: fc.integer({ min: 0, max: 4000 }),
})

test('a range with a byte that was not verified in time does not count', () => {
  let covered = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const range = new CheckedRange()
      const checkedAt = new Array<number>(100).fill(Number.NEGATIVE_INFINITY)
      let nowMs = 0
      for (const { kind, span, afterMs } of steps) {
        nowMs += afterMs
        const [start, length] = span
        const end = start + length
        if (kind === 'add') {
          checkedAt.fill(nowMs, start, end)
          range.add(start, end, nowMs)
        } else if (range.covers(start, end, nowMs)) {
          covered++
          const oldest = Math.min(...checkedAt.slice(start, end))
          expect(nowMs - oldest).toBeLessThan(believedForMs)
        }
      }
    }),
  )
  expect(covered).toBeGreaterThan(0)
})

test('ranges that are read in sequence become one range', () => {
  const range = new CheckedRange()
  range.add(0, 10, 0)
  range.add(10, 20, 1)
  expect(range.covers(5, 15, 2)).toBe(true)
  expect(range.covers(5, 21, 2)).toBe(false)
  expect(range.covers(5, 15, believedForMs)).toBe(false)
})
