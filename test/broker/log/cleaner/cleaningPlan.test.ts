// Which part of a log is cleaned, and which segments are merged.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cleaningRange,
  firstDirtyOffset,
  groupSegments,
  isOverdue,
} from '../../../../broker/log/cleaner/cleaningPlan.ts'

/** Segments of ten offsets and 100 bytes each, from `first` on. */
function segments(count: number, first = 0) {
  return Array.from({ length: count }, (_, number) => {
    const baseOffset = first + number * 10
    return { baseOffset, nextOffset: baseOffset + 10, sizeBytes: 100 }
  })
}

describe('the start of cleaning', () => {
  const log = { logStartOffset: 10, logEndOffset: 50, lastStableOffset: 50 }

  test.each([
    ['where it ended', 30, 30],
    ['at the start without a checkpoint', undefined, 10],
    ['at the start if the log starts later now', 5, 10],
    ['at the start if the log was truncated', 51, 10],
  ])('%s', (_, checkpoint, expected) => {
    expect(firstDirtyOffset(checkpoint, log)).toBe(expected)
  })
})

describe('the end of cleaning', () => {
  test('is the last stable offset, by whole segments', () => {
    const range = cleaningRange(segments(5), 20, 35, () => false)
    expect(range.cleanable.map(({ baseOffset }) => baseOffset)).toEqual([0, 10, 20])
    expect(range.dirty.map(({ baseOffset }) => baseOffset)).toEqual([20])
    expect(range.dirtyRatio).toBeCloseTo(1 / 3)
  })

  test('is the first new segment that is too young', () => {
    const range = cleaningRange(segments(5), 10, 100, ({ baseOffset }) => baseOffset % 20 === 0)
    expect(range.cleanable.map(({ baseOffset }) => baseOffset)).toEqual([0, 10])
    expect(range.dirty.map(({ baseOffset }) => baseOffset)).toEqual([10])
  })

  test('a segment that is partly new is dirty', () => {
    expect(cleaningRange(segments(2), 15, 100, () => false).dirtyRatio).toBe(0.5)
  })

  test('a log without anything to clean is not dirty', () => {
    expect(cleaningRange([], 0, 0, () => false)).toMatchObject({ dirty: [], dirtyRatio: 0 })
  })
})

test('records are compacted after at most max.compaction.lag.ms', () => {
  expect(isOverdue(-1, 100, 1000)).toBe(false)
  expect(isOverdue(900, 100, 1000)).toBe(false)
  expect(isOverdue(899, 100, 1000)).toBe(true)
})

describe('groups', () => {
  const limits = { segmentBytes: 250, indexBytes: 100 }

  test('have at most the bytes of one segment', () => {
    const groups = groupSegments(segments(5), () => 0, limits)
    expect(groups.map((group) => group.length)).toEqual([2, 2, 1])
  })

  test('have at most the index entries of one segment', () => {
    const groups = groupSegments(segments(5), () => 34, { ...limits, segmentBytes: 1000 })
    expect(groups.map((group) => group.length)).toEqual([2, 2, 1])
  })

  test('span at most the offsets that an index can represent', () => {
    const far = [...segments(1), { baseOffset: 10, nextOffset: 2 ** 31 + 1, sizeBytes: 1 }]
    expect(groupSegments(far, () => 0, limits)).toHaveLength(2)
    const near = [...segments(1), { baseOffset: 10, nextOffset: 2 ** 31, sizeBytes: 1 }]
    expect(groupSegments(near, () => 0, limits)).toHaveLength(1)
  })

  test('omit no segment, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400)), (sizes) => {
        const list = segments(sizes.length).map((segment, number) => {
          return { ...segment, sizeBytes: sizes[number]! }
        })
        const groups = groupSegments(list, ({ sizeBytes }) => sizeBytes / 10, limits)
        expect(groups.flat()).toEqual(list)
        for (const group of groups) {
          const bytes = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
          expect(group.length === 1 || bytes <= limits.segmentBytes).toBe(true)
        }
      }),
    )
  })
})
