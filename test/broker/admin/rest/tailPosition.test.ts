// Positions of a tail as event ids.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  longestPosition,
  positionOfText,
  textOfPosition,
} from '../../../../broker/admin/rest/v1/records/tailPosition.ts'

test('a position is read back unchanged', () => {
  const entries = fc.uniqueArray(
    fc.tuple(fc.nat(50), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    { selector: ([partition]) => partition, minLength: 1 },
  )
  fc.assert(
    fc.property(entries, (all) => {
      const position = new Map(all)
      const text = textOfPosition(position)
      expect(text).toMatch(/^[0-9:,]+$/)
      expect(positionOfText(text, [...position.keys()])).toEqual(position)
    }),
  )
})

test('a position in a thousand partitions fits into a header', () => {
  const position = new Map(Array.from({ length: 1_000 }, (_, partition) => [partition, 1e12]))
  expect(textOfPosition(position).length).toBeLessThan(longestPosition - 1_024)
})
