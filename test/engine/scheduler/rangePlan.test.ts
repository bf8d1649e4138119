// Where a job starts in a topic, and where it continues when the log has lost unread records.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lagBehind, offsetsIn, planRanges, startsOf } from '../../../engine/scheduler/rangePlan.ts'
import { lostBetween } from '../../../engine/sources/lostOffsets.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import type { PartitionEnds } from '../../../engine/sources/topicOffsets.ts'

function end(earliest: number, latest: number, more: Partial<PartitionEnds> = {}): PartitionEnds {
  return { topic: 'orders', partition: 0, earliest, latest, ...more }
}

function read(until: number, more: Partial<OffsetRange> = {}): OffsetRange {
  return { topic: 'orders', partition: 0, from: 0, until, ...more }
}

describe('a job starts', () => {
  test('at startAt, in a topic that it has never read', () => {
    expect(planRanges([end(5, 50, { start: 30 })], [], () => 10)[0]).toMatchObject({
      from: 30,
      until: 40,
    })
    const other = read(9, { topic: 'other' })
    expect(planRanges([end(5, 50, { start: 30 })], [other], () => 10)[0]).toMatchObject({
      from: 30,
    })
  })

  test('with a lag that counts from startAt', () => {
    expect(lagBehind([end(5, 50, { start: 30 })], [])).toBe(20)
    expect(lagBehind([end(5, 50, { start: 30 })], [read(45)])).toBe(5)
  })

  test('at the beginning of a partition added to a topic that it reads', () => {
    const added = end(5, 50, { partition: 1, start: 50 })
    expect(planRanges([end(0, 7), added], [read(7)], () => 10)[1]).toMatchObject({
      from: 5,
      until: 15,
    })
  })
})

describe('lost offsets', () => {
  test('fail the job with the lost offsets, the existing offsets, and both remedies', () => {
    const removed = () => planRanges([end(20, 100)], [read(5)], () => 10)
    expect(removed).toThrow(expect.objectContaining({ code: 'OFFSETS_LOST' }))
    expect(removed).toThrow(
      /^orders-0 no longer has offsets 5 to 20 \(15 that this job had yet to read\).* has offsets 20 to 100\. .*onLost of fromTopic\('orders', \.\.\.\).*millrace job rewind/,
    )
    const truncated = () => planRanges([end(0, 4)], [read(10)], () => 10)
    expect(truncated).toThrow(expect.objectContaining({ code: 'OFFSETS_LOST' }))
    expect(truncated).toThrow(/ends at offset 4, but this job has read it up to 10.*onLost.*rewind/)
  })

  test('are skipped with onLost, and the gap is recorded', () => {
    const before = [read(5)]
    const ranges = planRanges([end(20, 100, { resume: 30 })], before, () => 10)
    expect(ranges).toEqual([read(40, { from: 30 })])
    expect(lostBetween(before, ranges)).toEqual([
      {
        ...{ topic: 'orders', partition: 0, kind: 'removed' },
        ...{ from: 5, until: 30, lostRecords: 25 },
      },
    ])
    const truncated = planRanges([end(0, 4, { resume: 4 })], [read(10)], () => 10)
    expect(truncated).toEqual([read(4, { from: 4 })])
    expect(lostBetween([read(10)], truncated)).toMatchObject([
      { kind: 'truncated', from: 10, until: 4, lostRecords: 0 },
    ])
  })

  test('do not include the records of a log whose end is not stable yet', () => {
    const unstable = end(0, 4, { highWatermark: 12, resume: 0 })
    expect(planRanges([unstable], [read(10)], () => 10)).toEqual([read(10, { from: 10 })])
  })

  test('in a planned batch: the batch is planned again from the start of the log', () => {
    const planned = [read(30, { from: 10 })]
    expect(() => planRanges([end(20, 100)], startsOf(planned), () => 10)).toThrow(
      /offsets 10 to 20/,
    )
    const again = planRanges([end(20, 100, { resume: 20 })], startsOf(planned), () => 10)
    expect(again).toEqual([read(30, { from: 20 })])
    expect(lostBetween(startsOf(planned), again)).toMatchObject([{ from: 10, until: 20 }])
  })
})

describe('a topic that is no longer read', () => {
  test('keeps its positions: if the topic is added again, the job continues there', () => {
    const both = [read(5), read(9, { topic: 'gone', topicId: 'g' })]
    const without = planRanges([end(0, 7)], both, () => 10)
    expect(without).toEqual([
      read(7, { from: 5 }),
      { topic: 'gone', partition: 0, from: 9, until: 9, topicId: 'g' },
    ])
    expect(lagBehind([end(0, 7)], without)).toBe(0)
    const later = planRanges([end(0, 8)], without, () => 10)
    const gone = end(2, 20, { topic: 'gone', topicId: 'g', start: 20 })
    const back = planRanges([end(0, 8), gone], later, () => 10)
    expect(back[1]).toEqual({ topic: 'gone', partition: 0, from: 9, until: 19, topicId: 'g' })
    const another = { ...gone, topicId: 'another' }
    expect(() => planRanges([end(0, 8), another], later, () => 10)).toThrow(
      expect.objectContaining({ code: 'TOPIC_RECREATED' }),
    )
  })
})

test('no record is read twice, and every record is either read or lost', () => {
  const step = fc.record({ grow: fc.nat(40), lose: fc.nat(40), resume: fc.nat(60) })
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20 }),
      fc.integer({ min: 1, max: 30 }),
      (steps, most) => {
        let [earliest, latest, accounted] = [0, 0, 0]
        let previous: OffsetRange[] = []
        for (const { grow, lose, resume } of steps) {
          latest += grow
          earliest = Math.min(latest, earliest + lose)
          const position = previous[0]?.until ?? earliest
          accounted = Math.max(accounted, previous.length === 0 ? earliest : 0)
          const at = Math.max(position, earliest, Math.min(latest, earliest + resume))
          const ranges = planRanges([end(earliest, latest, { resume: at })], previous, () => most)
          expect(ranges[0]!.from).toBeGreaterThanOrEqual(position)
          const lost = lostBetween(previous, ranges)
          expect(lost.length).toBe(previous.length > 0 && position < earliest ? 1 : 0)
          accounted +=
            offsetsIn(ranges) + lost.reduce((sum, { lostRecords }) => sum + lostRecords, 0)
          expect(accounted).toBe(ranges[0]!.until)
          previous = ranges
        }
      },
    ),
  )
})
