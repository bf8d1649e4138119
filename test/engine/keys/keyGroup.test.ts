// Key groups: where a key is stored. Some are pinned here, because a change would lose state.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeKey, encodeKey, type Key } from '../../../engine/keys/key.ts'
import { keyGroupCount, keyGroupOf, partitionOfGroup } from '../../../engine/keys/keyGroup.ts'
import {
  byKeyGroups,
  HashPartitioner,
  KeyGroupPartitioner,
} from '../../../engine/keys/partitioner.ts'

const anyKey = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)

test('keys stay in their groups across releases', () => {
  const keys = ['', 'a', '3', 'under 18', '\ud800', 3, -3, 0, 0.5, 2 ** 40, true, false, null]
  expect(keys.map((key) => keyGroupOf(key))).toEqual([
    684, 106, 81, 442, 348, 535, 680, 0, 138, 86, 325, 0, 0,
  ])
})

test('every key has one group, also in text form', () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      const group = keyGroupOf(key)
      expect(Number.isInteger(group) && group >= 0 && group < keyGroupCount).toBe(true)
      expect(keyGroupOf(decodeKey(encodeKey(key)))).toBe(group)
    }),
  )
})

test.each<[string, (n: number) => Key]>([
  ['integers in a row', (n) => n],
  ['integers 1024 apart', (n) => n * 1024],
  ['integers 65536 apart', (n) => n * 65_536],
  ['negative integers', (n) => -n],
  ['numbered names', (n) => `user-${n}`],
  ['fractions', (n) => n + 0.5],
])('%s are distributed over groups and partitions', (_what, keyOf) => {
  const perGroup = new Array<number>(keyGroupCount).fill(0)
  const perPartition = new Array<number>(7).fill(0)
  const partitioner = new KeyGroupPartitioner(7)
  const count = 32 * keyGroupCount
  for (let n = 0; n < count; n++) {
    const key = keyOf(n)
    perGroup[keyGroupOf(key)]!++
    perPartition[partitioner.partitionOf(key)]!++
  }
  // The mean is 32 keys: a random hash leaves no group empty, and no group has three times the
  // mean.
  expect(Math.min(...perGroup)).toBeGreaterThan(0)
  expect(Math.max(...perGroup)).toBeLessThan(96)
  for (const size of perPartition) expect(Math.abs(size / (count / 7) - 1)).toBeLessThan(0.05)
})

test('a partition has a range of groups, and no partition is empty', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: keyGroupCount }), (partitions) => {
      let before = 0
      const seen = new Set<number>()
      for (let group = 0; group < keyGroupCount; group++) {
        const partition = partitionOfGroup(group, partitions)
        expect(partition === before || partition === before + 1).toBe(true)
        seen.add(partition)
        before = partition
      }
      expect(seen.size).toBe(partitions)
    }),
  )
})

test('partitioners by key groups are equal only to one another', () => {
  const three = new KeyGroupPartitioner(3)
  expect(three.equals(new KeyGroupPartitioner(3))).toBe(true)
  expect(three.equals(new KeyGroupPartitioner(4))).toBe(false)
  expect(three.equals(new HashPartitioner(3))).toBe(false)
  expect(new HashPartitioner(3).equals(three)).toBe(false)
  expect(three.equals(undefined)).toBe(false)
  for (const count of [0, 1.5, 1025]) {
    expect(() => new KeyGroupPartitioner(count)).toThrow(/needs 1 to 1024 partitions/)
  }
  expect(byKeyGroups(1025)).toBeInstanceOf(HashPartitioner)
  expect(byKeyGroups(1024)).toBeInstanceOf(KeyGroupPartitioner)
})
