import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  planReset,
  type ResetPlace,
  type Strategy,
  strategies,
} from '../../../../broker/admin/rest/v1/groups/offsetReset.ts'

const place = fc
  .tuple(fc.nat(1_000), fc.nat(1_000), fc.option(fc.nat(3_000)), fc.option(fc.nat(1_000)))
  .map(([start, length, committed, ofTime]): ResetPlace => {
    const atTime = ofTime === null ? null : start + Math.min(ofTime, length)
    return { topic: 't', partition: 0, start, end: start + length, committed, atTime }
  })
const target = fc.record({
  strategy: fc.constantFrom<Strategy>(...strategies),
  value: fc.integer({ min: -2_000, max: 3_000 }),
})

test('a new offset is always in the log, and the numbers of records read again or skipped are exact', () => {
  fc.assert(
    fc.property(place, target, (at, to) => {
      const plan = planReset(at, to)
      expect(plan.newOffset).toBeGreaterThanOrEqual(at.start)
      expect(plan.newOffset).toBeLessThanOrEqual(at.end)
      expect(plan.oldOffset).toBe(at.committed)
      if (at.committed === null) {
        expect([plan.readAgain, plan.skipped]).toEqual([null, null])
        return
      }
      // Counts the records that a reader gets from either offset to the end.
      let [readAgain, skipped] = [0, 0]
      for (let offset = at.start; offset < at.end; offset++) {
        const before = offset >= at.committed
        const after = offset >= plan.newOffset
        if (after && !before) readAgain++
        if (before && !after) skipped++
      }
      expect([plan.readAgain, plan.skipped]).toEqual([readAgain, skipped])
    }),
  )
})

const usual: ResetPlace = {
  ...{ topic: 't', partition: 0, start: 100, end: 200, committed: 150, atTime: 120 },
}

test.each<[Strategy, number, Partial<ResetPlace>, number, boolean]>([
  ['earliest', 0, {}, 100, false],
  ['latest', 0, {}, 200, false],
  ['offset', 130, {}, 130, false],
  ['offset', 99, {}, 100, true],
  ['offset', 201, {}, 200, true],
  ['shift_by', -10, {}, 140, false],
  ['shift_by', -60, {}, 100, true],
  ['shift_by', 60, {}, 200, true],
  ['shift_by', 5, { committed: null }, 105, false],
  ['time', 0, {}, 120, false],
  ['time', 0, { atTime: null }, 200, false],
  ['duration', 0, {}, 120, false],
  ['committed', 0, {}, 150, false],
  ['committed', 0, { committed: null }, 200, false],
  ['committed', 0, { committed: 50 }, 100, true],
])('%s %i of %j', (strategy, value, more, newOffset, isAdjusted) => {
  const plan = planReset({ ...usual, ...more }, { strategy, value })
  expect(plan).toMatchObject({ newOffset, isAdjusted })
})
