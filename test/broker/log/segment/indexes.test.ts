// The index files: their bytes are those of Kafka, lookups agree with a linear search, and a
// rebuilt index equals the one built by the appends.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffsetIndex } from '../../../../broker/log/segment/indexes/offsetIndex.ts'
import { SegmentIndexes } from '../../../../broker/log/segment/indexes/segmentIndexes.ts'
import { TimeIndex } from '../../../../broker/log/segment/indexes/timeIndex.ts'

interface Batch {
  readonly lastOffset: number
  readonly timestampMs: number
  readonly position: number
  readonly sizeBytes: number
}

const baseOffset = 5_000_000_000

/** Consecutive batches with various sizes and timestamps. */
const batches: fc.Arbitrary<Batch[]> = fc
  .array(
    fc.record({
      records: fc.integer({ min: 1, max: 50 }),
      timestampMs: fc.integer({ min: -1, max: 300 }),
      sizeBytes: fc.integer({ min: 61, max: 500 }),
    }),
    { maxLength: 60 },
  )
  .map((specs) => {
    let position = 0
    let lastOffset = baseOffset - 1
    return specs.map(({ records, timestampMs, sizeBytes }) => {
      lastOffset += records
      position += sizeBytes
      return { lastOffset, timestampMs, position: position - sizeBytes, sizeBytes }
    })
  })

function observe(indexes: SegmentIndexes, batch: Batch): void {
  indexes.observe(batch.lastOffset, batch.timestampMs, batch.position, batch.sizeBytes)
}

describe('the bytes', () => {
  test('of an offset index are pairs of relative offset and position', () => {
    const index = OffsetIndex.empty(100)
    index.append(107, 4200)
    index.append(140, 0x01020304)
    expect(index.copyFrom(0).toString('hex')).toBe('00000007000010680000002801020304')
    expect(index.copyFrom(1).toString('hex')).toBe('0000002801020304')
  })

  test('of a time index are timestamp and relative offset', () => {
    const index = TimeIndex.empty(100)
    index.maybeAppend(1_700_000_000_000, 107)
    index.maybeAppend(1_700_000_000_000, 108)
    index.maybeAppend(1_700_000_000_001, 140)
    expect(index.copyFrom(0).toString('hex')).toBe(
      '0000018bcfe56800000000070000018bcfe5680100000028',
    )
  })
})

test('an index file is used up to its first invalid entry', () => {
  const index = OffsetIndex.empty(0)
  for (let entry = 1; entry <= 5; entry++) index.append(entry * 10, entry * 100)
  const bytes = index.copyFrom(0)
  expect(OffsetIndex.load(0, Buffer.from(bytes), 1000).count).toBe(5)
  expect(OffsetIndex.load(0, Buffer.from(bytes), 400).count).toBe(3)
  expect(OffsetIndex.load(0, bytes.subarray(0, 21), 1000).count).toBe(2)
  bytes.writeInt32BE(5, 24)
  expect(OffsetIndex.load(0, Buffer.from(bytes), 1000).count).toBe(3)
})

test('entries out of order are a broken invariant', () => {
  const index = OffsetIndex.empty(0)
  index.append(10, 100)
  expect(() => index.append(10, 200)).toThrow('out of order')
})

test('a lookup finds what a linear search finds', () => {
  fc.assert(
    fc.property(batches, fc.integer({ min: -5, max: 3000 }), (all, relative) => {
      const indexes = SegmentIndexes.empty(baseOffset, 400)
      for (const batch of all) observe(indexes, batch)
      const offset = baseOffset + relative
      const entries = Array.from({ length: indexes.offsets.count }, (_, entry) => ({
        offset: indexes.offsets.offsetAt(entry),
        position: indexes.offsets.positionAt(entry),
      }))
      const expected = entries.findLast((entry) => entry.offset <= offset)?.position ?? 0
      const { start, latestStart, latestEnd } = indexes.offsets.spanFor(offset)
      expect(start).toBe(expected)
      // The batch that holds the offset lies inside, so that one read of the span has it.
      const holding = all.find((batch) => batch.lastOffset >= offset)
      if (!holding) return
      expect(holding.position).toBeGreaterThanOrEqual(start)
      expect(holding.position).toBeLessThanOrEqual(latestStart)
      expect(holding.position + holding.sizeBytes).toBeLessThanOrEqual(latestEnd)
    }),
  )
})

test('a time lookup skips only batches that are older', () => {
  fc.assert(
    fc.property(batches, fc.integer({ min: 0, max: 300 }), (all, timestampMs) => {
      const indexes = SegmentIndexes.empty(baseOffset, 400)
      for (const batch of all) observe(indexes, batch)
      const entry = indexes.times.lookup(timestampMs - 1)
      const from = entry < 0 ? baseOffset : indexes.times.offsetAt(entry)
      const first = all.find((batch) => batch.timestampMs >= timestampMs)
      if (first) expect(first.lastOffset).toBeGreaterThanOrEqual(from)
      expect(indexes.maxTimestampMs).toBe(Math.max(-1, ...all.map((batch) => batch.timestampMs)))
    }),
  )
})

test('rewound indexes that observe the same batches again are the same', () => {
  fc.assert(
    fc.property(batches, fc.nat({ max: 3000 }), (all, relative) => {
      const indexes = SegmentIndexes.empty(baseOffset, 400)
      for (const batch of all) observe(indexes, batch)
      const before = [indexes.offsets.copyFrom(0), indexes.times.copyFrom(0)]
      const { maxTimestampMs, offsetOfMaxTimestamp } = indexes
      const position = indexes.rewind(baseOffset + relative)
      for (const batch of all) if (batch.position >= position) observe(indexes, batch)
      expect([indexes.offsets.copyFrom(0), indexes.times.copyFrom(0)]).toEqual(before)
      expect(indexes).toMatchObject({ maxTimestampMs, offsetOfMaxTimestamp })
    }),
  )
})
