// The records that a job has counted: each range once, however often tasks read it, and later if
// only a later window reads it.

import { expect, test } from 'vitest'
import { RecordCount } from '../../../engine/scheduler/recordCount.ts'
import type { BatchInfo } from '../../../engine/stream/batchHistory.ts'

/** Reads ten offsets of each of two partitions, and none of a third partition. */
function batch(batchId: number): BatchInfo {
  const range = (partition: number) => {
    return { topic: 't', partition, from: 10 * batchId, until: 10 * batchId + 10 }
  }
  const empty = { topic: 't', partition: 2, from: 0, until: 0 }
  return { batchId, timeMs: batchId * 1000, ranges: [range(0), range(1), empty] }
}

function read(count: RecordCount, { ranges }: BatchInfo, records: number, partitions = [0, 1]) {
  for (const partition of partitions) count.rangeRead({ range: ranges[partition]!, records })
}

test('a batch counts the records of its ranges, not their offsets, and each range once', () => {
  const count = new RecordCount(100)
  count.begin(batch(0))
  read(count, batch(0), 7)
  read(count, batch(0), 7)
  expect(count.recordsIn(0)).toBe(14)
  expect(count.commit(0)).toEqual({ recordsTotal: 114, uncounted: [] })
  read(count, batch(0), 7)
  count.begin(batch(1))
  read(count, batch(1), 0)
  expect(count.commit(0)).toEqual({ recordsTotal: 114, uncounted: [] })
})

test('a batch that a later window reads is counted when the window reads it, also in the next run of the job', () => {
  const first = new RecordCount(0)
  first.begin(batch(0))
  read(first, batch(0), 3, [1])
  expect(first.recordsIn(0)).toBe(13)
  expect(first.commit(0)).toEqual({ recordsTotal: 0, uncounted: [0] })
  const second = new RecordCount(0, [batch(0)])
  second.begin(batch(1))
  for (const each of [batch(0), batch(1)]) read(second, each, 3)
  expect(second.commit(0)).toEqual({ recordsTotal: 12, uncounted: [] })
})

test('a batch that is never read completely counts its offsets once no window includes it', () => {
  const count = new RecordCount(0)
  count.begin(batch(0))
  expect(count.commit(0)).toEqual({ recordsTotal: 0, uncounted: [0] })
  count.begin(batch(1))
  expect(count.commit(1)).toEqual({ recordsTotal: 20, uncounted: [1] })
})

test('the last run of a batch determines its count', () => {
  const count = new RecordCount(0)
  count.begin(batch(0))
  read(count, batch(0), 5)
  count.begin(batch(0))
  read(count, batch(0), 5, [0])
  expect(count.recordsIn(0)).toBe(15)
})
