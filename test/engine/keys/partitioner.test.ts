// The partitions of keys. They determine where state is stored (a key's state is in its partition),
// so some are pinned here: a change of the hash must be detected.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeKey, encodeKey, type Key } from '../../../engine/keys/key.ts'
import { HashPartitioner } from '../../../engine/keys/partitioner.ts'

const anyKey = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)

test('keys stay in their partitions across releases', () => {
  const seven = new HashPartitioner(7)
  const places = ['', 'a', '3', 'under 18', 3, -3, 0, 0.5, 2 ** 40, true, false, null].map((key) =>
    seven.partitionOf(key),
  )
  expect(places).toEqual([5, 1, 5, 5, 3, 4, 0, 3, 4, 1, 0, 0])
})

test('every key has a partition, and equal partitioners agree on it', () => {
  fc.assert(
    fc.property(anyKey, fc.integer({ min: 1, max: 1000 }), (key, count) => {
      const place = new HashPartitioner(count).partitionOf(key)
      expect(Number.isInteger(place) && place >= 0 && place < count).toBe(true)
      expect(Object.is(place, -0)).toBe(false)
      expect(new HashPartitioner(count).partitionOf(key)).toBe(place)
    }),
  )
})

test('partitioners are equal if they have the same number of partitions', () => {
  expect(new HashPartitioner(3).equals(new HashPartitioner(3))).toBe(true)
  expect(new HashPartitioner(3).equals(new HashPartitioner(4))).toBe(false)
  expect(new HashPartitioner(3).equals(undefined)).toBe(false)
  expect(() => new HashPartitioner(0)).toThrow(/at least one partition/)
})

test('a stored key is read back, and distinct keys are stored separately', () => {
  fc.assert(
    fc.property(anyKey, anyKey, (one: Key, other: Key) => {
      // -0 and 0 are one key, as in a Map.
      const same = (left: Key, right: Key) => left === right
      expect(same(decodeKey(encodeKey(one)), one)).toBe(true)
      expect(encodeKey(one) === encodeKey(other)).toBe(same(one, other))
    }),
  )
})
