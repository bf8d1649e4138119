// What is to be cleaned, and which segments become one.

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

describe('where cleaning begins', () => {
  const log = { logStartOffset: 10, logEndOffset: 50, lastStableOffset: 50 }

  test.each([
    ['where it ended', 30, 30],
    ['at the start without a checkpoint', undefined, 10],
    ['at the start when the log begins later by now', 5, 10],
    ['at the start when the log was cut', 51, 10],
  ])('%s', (_, checkpoint, expected) => {
    expect(firstDirtyOffset(checkpoint, log)).toBe(expected)
  })
})

describe('how far it goes', () => {
  test('up to the last stable offset, by whole segments', () => {
    const range = cleaningRange(segments(5), 20, 35, () => false)
    expect(range.cleanable.map(({ baseOffset }) => baseOffset)).toEqual([0, 10, 20])
    expect(range.dirty.map(({ baseOffset }) => baseOffset)).toEqual([20])
    expect(range.dirtyRatio).toBeCloseTo(1 / 3)
  })

  test('up to the first new segment that is too young', () => {
    const range = cleaningRange(segments(5), 10, 100, ({ baseOffset }) => baseOffset % 20 === 0)
    expect(range.cleanable.map(({ baseOffset }) => baseOffset)).toEqual([0, 10])
    expect(range.dirty.map(({ baseOffset }) => baseOffset)).toEqual([10])
  })

  test('a segment of which a part is new is new', () => {
    expect(cleaningRange(segments(2), 15, 100, () => false).dirtyRatio).toBe(0.5)
  })

  test('without anything to clean nothing is dirty', () => {
    expect(cleaningRange([], 0, 0, () => false)).toMatchObject({ dirty: [], dirtyRatio: 0 })
  })
})

test('records wait no longer than max.compaction.lag.ms', () => {
  expect(isOverdue(-1, 100, 1000)).toBe(false)
  expect(isOverdue(900, 100, 1000)).toBe(false)
  expect(isOverdue(899, 100, 1000)).toBe(true)
})

describe('groups', () => {
  const limits = { segmentBytes: 250, indexBytes: 100 }

  test('have no more bytes than a segment may have', () => {
    const groups = groupSegments(segments(5), () => 0, limits)
    expect(groups.map((group) => group.length)).toEqual([2, 2, 1])
  })

  test('have no more of an index than a segment may have', () => {
    const groups = groupSegments(segments(5), () => 34, { ...limits, segmentBytes: 1000 })
    expect(groups.map((group) => group.length)).toEqual([2, 2, 1])
  })

  test('span no more offsets than an index can tell apart', () => {
    const far = [...segments(1), { baseOffset: 10, nextOffset: 2 ** 31 + 1, sizeBytes: 1 }]
    expect(groupSegments(far, () => 0, limits)).toHaveLength(2)
    const near = [...segments(1), { baseOffset: 10, nextOffset: 2 ** 31, sizeBytes: 1 }]
    expect(groupSegments(near, () => 0, limits)).toHaveLength(1)
  })

  test('leave no segment out, whatever their sizes', () => {
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
