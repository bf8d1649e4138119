// Invariant: the fast scan never accepts records that the cursor, which all readers use, refuses.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  RecordBatch,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { RecordCursor } from '../../../../protocol/kafka/records/recordCursor.ts'
import { type RecordScan, scanRecords } from '../../../../protocol/kafka/records/recordScan.ts'

const field = fc.option(fc.uint8Array({ maxLength: 200 }))
const record = fc.record({
  timestampMs: fc.oneof(
    { arbitrary: fc.nat(10 ** 7), weight: 50 },
    { arbitrary: fc.integer({ min: -1, max: 2 ** 45 }), weight: 1 },
  ),
  key: field,
  value: field,
  headers: fc.array(fc.tuple(fc.string(), field), { maxLength: 3 }),
})

function batchOf(
  records: readonly (typeof record extends fc.Arbitrary<infer R> ? R : never)[],
): RecordBatch {
  const builder = new RecordBatchBuilder()
  for (const { timestampMs, key, value, headers } of records) {
    const all = headers.map(([name, content]) => ({
      key: name,
      value: content && Buffer.from(content),
    }))
    builder.append(timestampMs, key, value, all)
  }
  return new RecordBatch(builder.build())
}

function scan(batch: RecordBatch): RecordScan | undefined {
  const { bytes, recordCount } = batch
  return scanRecords(bytes, recordBatchOverheadBytes, bytes.length, recordCount)
}

/** The result of the scan as computed by the cursor; throws if the cursor refuses the records. */
function walk(batch: RecordBatch): RecordScan {
  const timestamps: number[] = []
  let nullKeys = 0
  for (const cursor = new RecordCursor(batch, 0); cursor.next(); ) {
    cursor.headers()
    expect(cursor.offset).toBe(timestamps.length)
    timestamps.push(cursor.timestamp - batch.baseTimestamp)
    if (cursor.keyStart < 0) nullKeys++
  }
  return {
    smallestTimestampDelta: Math.min(...timestamps),
    largestTimestampDelta: Math.max(...timestamps),
    nullKeys,
  }
}

describe('scanRecords', () => {
  it('agrees with the cursor on valid records, or does not decide', () => {
    let decided = 0
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 200 }), (all) => {
        const batch = batchOf(all)
        const found = scan(batch)
        const spread = all.some(
          ({ timestampMs }) => Math.abs(timestampMs - all[0]!.timestampMs) > 2 ** 27,
        )
        if (!spread) expect(found).toBeDefined()
        if (!found) return
        decided++
        expect(found).toEqual(walk(batch))
      }),
      { numRuns: 300 },
    )
    expect(decided).toBeGreaterThan(100)
  })

  it('never accepts records that the cursor refuses', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) })
    const changes = fc.array(change, { maxLength: 2 })
    const count = fc.constantFrom(0, 0, 0, 1, 2)
    let sound = 0
    let wrong = 0
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 5 }),
        changes,
        count,
        (all, bytes, more) => {
          const batch = batchOf(all)
          const recordBytes = batch.bytes.length - recordBatchOverheadBytes
          for (const { at, byte } of bytes) {
            batch.bytes[recordBatchOverheadBytes + (at % recordBytes)] = byte
          }
          batch.bytes.writeInt32BE(all.length + more, RecordBatchField.recordCount)
          const found = scan(batch)
          if (!found) wrong++
          else {
            sound++
            expect(found).toEqual(walk(batch))
          }
        },
      ),
      { numRuns: 3000 },
    )
    expect(Math.min(sound, wrong)).toBeGreaterThan(300)
  })

  it('reads varints of every length', () => {
    const lengths = [63, 64, 8191, 8192, 1_048_575, 1_048_576]
    const builder = new RecordBatchBuilder()
    for (const length of lengths)
      builder.append(length * 60, Buffer.alloc(length), Buffer.alloc(length))
    expect(scan(new RecordBatch(builder.build()))).toMatchObject({
      smallestTimestampDelta: 0,
      largestTimestampDelta: (1_048_576 - 63) * 60,
    })
    const many = new RecordBatchBuilder()
    for (let count = 0; count < 1_100_000; count++) many.append(0, null, null)
    expect(scan(new RecordBatch(many.build()))).toMatchObject({ nullKeys: 1_100_000 })
  })
})
