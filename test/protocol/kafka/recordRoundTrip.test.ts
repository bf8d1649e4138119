import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Compression, compress } from '../../../protocol/bytes/compression.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  RecordBatch,
  RecordBatchField,
  validateBatch,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import {
  RecordCursor,
  type RecordHeader,
  records,
} from '../../../protocol/kafka/records/recordCursor.ts'

const maxBytes = 10_000_000
const codecs = Object.entries(Compression)

const bytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 10 }),
    fc.uint8Array({ minLength: 60, maxLength: 70 }),
    fc.uint8Array({ minLength: 8190, maxLength: 8194 }),
  )
  .map((array) => Buffer.from(array))
const nullableBytes = fc.option(bytes, { freq: 4 })
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: 0, max: 2 ** 42 }),
)
const header: fc.Arbitrary<RecordHeader> = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 5 }),
  value: nullableBytes,
})
const record = fc.record({
  timestamp,
  key: nullableBytes,
  value: nullableBytes,
  headers: fc.array(header, { maxLength: 3 }),
})

describe.each(codecs)('records with compression %s', (_name, compression) => {
  test('are read as they were appended', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (appended) => {
        const builder = new RecordBatchBuilder({ compression })
        for (const { timestamp, key, value, headers } of appended) {
          builder.append(timestamp, key, value, headers)
        }
        const batch = new RecordBatch(builder.build())
        validateBatch(batch, { maxBytes })
        batch.baseOffset = 1000
        const expected = appended.map((one, n) => ({ ...one, offset: 1000 + n }))
        expect([...records(batch, maxBytes)]).toEqual(expected)
        expect(batch.maxTimestamp).toBe(Math.max(...appended.map((one) => one.timestamp)))
      }),
      { numRuns: 50 },
    )
  })
})

test('appendRange encodes the same bytes as append', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(timestamp, bytes), { minLength: 1 }), (values) => {
      const one = new RecordBatchBuilder()
      const other = new RecordBatchBuilder()
      const source = Buffer.concat(values.map(([, value]) => value))
      let at = 0
      for (const [timestampMs, value] of values) {
        one.append(timestampMs, null, value)
        other.appendRange(timestampMs, source, at, at + value.length)
        at += value.length
        expect(other.sizeInBytes).toBe(one.sizeInBytes)
      }
      expect(other.recordCount).toBe(values.length)
      expect(other.build().equals(one.build())).toBe(true)
    }),
    { numRuns: 50 },
  )
})

describe('the builder', () => {
  test('is empty after build, and does not touch what it handed over', () => {
    const builder = new RecordBatchBuilder({ producerId: 1, producerEpoch: 0, baseSequence: 10 })
    builder.append(1, null, Buffer.from('first'))
    builder.append(1, null, Buffer.from('first'))
    const first = builder.build()
    const copy = Buffer.from(first)
    expect(builder).toMatchObject({ recordCount: 0, sizeInBytes: 61 })
    builder.append(2, null, Buffer.from('second'))
    const second = new RecordBatch(builder.build())
    expect(first.equals(copy)).toBe(true)
    expect(second).toMatchObject({ baseSequence: 12, baseTimestamp: 2, recordCount: 1 })
  })

  test('hands its memory over without a copy', () => {
    const builder = new RecordBatchBuilder({ capacityBytes: 4096 })
    builder.append(1, null, Buffer.from('x'))
    expect(builder.build().buffer.byteLength).toBe(4096)
  })

  test('has nothing to build without records', () => {
    expect(() => new RecordBatchBuilder().build()).toThrow('at least one record')
  })

  test('numbers a hundred thousand records', () => {
    const builder = new RecordBatchBuilder()
    const line = Buffer.from('0123456789')
    for (let n = 0; n < 100_000; n++) builder.appendRange(n, line, 0, n % 11)
    const cursor = new RecordCursor(new RecordBatch(builder.build()), maxBytes)
    for (let n = 0; n < 100_000; n++) {
      if (!cursor.next() || cursor.offset !== n || cursor.timestamp !== n)
        throw new Error(`at ${n}`)
      if (cursor.valueEnd - cursor.valueStart !== n % 11) throw new Error(`length at ${n}`)
    }
    expect(cursor.next()).toBe(false)
  })
})

describe('the cursor', () => {
  test('gives every record the batch timestamp under log append time', () => {
    const builder = new RecordBatchBuilder()
    builder.append(5, null, null)
    builder.append(9, null, null)
    const batch = new RecordBatch(builder.build())
    batch.setMaxTimestamp('logAppend', 77)
    expect([...records(batch, maxBytes)].map((one) => one.timestamp)).toEqual([77, 77])
  })

  test('stays at its end', () => {
    const builder = new RecordBatchBuilder()
    builder.append(5, null, null)
    const cursor = new RecordCursor(new RecordBatch(builder.build()), maxBytes)
    expect([cursor.next(), cursor.next(), cursor.next()]).toEqual([true, false, false])
  })

  test.each(codecs)('keeps to its limit with compression %s', (name, compression) => {
    const builder = new RecordBatchBuilder({ compression })
    builder.append(1, null, Buffer.alloc(100_000))
    const cursor = new RecordCursor(new RecordBatch(builder.build()), 50_000)
    // Uncompressed records take no memory but the batch's own.
    if (name === 'none') expect(cursor.next()).toBe(true)
    else expect(() => cursor.next()).toThrow(MalformedError)
  })
})

describe('malformed records', () => {
  /** A batch whose header is right and whose records are these bytes. */
  function around(content: Buffer, recordCount: number, compression: Compression): RecordBatch {
    const builder = new RecordBatchBuilder({ compression })
    builder.append(1000, null, null)
    const header = builder.build().subarray(0, 61)
    const batch = Buffer.concat([header, compress(compression, content), Buffer.alloc(9, 1)])
    batch.writeInt32BE(batch.length - 9 - 12, RecordBatchField.batchLength)
    batch.writeInt32BE(recordCount, RecordBatchField.recordCount)
    batch.writeInt32BE(100, RecordBatchField.lastOffsetDelta)
    return new RecordBatch(batch)
  }

  function drain(batch: RecordBatch): void {
    const end = batch.compression === Compression.none ? batch.start + batch.sizeInBytes : Infinity
    const cursor = new RecordCursor(batch, maxBytes)
    while (cursor.next()) {
      const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor
      const limit = Math.min(end, bytes.length)
      for (const index of [keyStart, keyEnd, valueStart, valueEnd]) {
        if (index > limit) throw new Error(`index ${index} beyond ${limit}`)
      }
      cursor.headers()
    }
  }

  test('any bytes: a MalformedError, or records within the batch', () => {
    const content = fc.uint8Array({ maxLength: 60 })
    const codec = fc.constantFrom(Compression.none, Compression.zstd)
    fc.assert(
      fc.property(content, fc.integer({ min: -1, max: 5 }), codec, (array, count, compression) => {
        try {
          drain(around(Buffer.from(array), count, compression))
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a corrupt byte in valid records: a MalformedError, or records within the batch', () => {
    const builder = new RecordBatchBuilder()
    const headers = [{ key: 'host', value: Buffer.from('a1') }]
    for (let n = 0; n < 5; n++) builder.append(n, Buffer.from('key'), Buffer.from('value'), headers)
    const original = builder.build()
    fc.assert(
      fc.property(fc.integer({ min: 61, max: original.length - 1 }), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(original)
        damaged[at] = byte
        try {
          drain(new RecordBatch(damaged))
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  // length, attributes, timestamp delta, offset delta, key length, value length, header count
  test.each([
    ['no length', ''],
    ['a negative length', '01000000010100'],
    ['a length below any record', '08000000010100'],
    ['a length past the batch', '0e000000010100'],
    ['an offset delta outside the batch', '0e0000ca01010100'],
    ['a negative offset delta', '0c000001010100'],
    ['a key longer than the record', '0c000000080100'],
    ['a value longer than the record', '0c000000010800'],
    ['more headers than bytes', '0c00000001010e'],
    ['bytes after its fields', '0e00000001010000'],
    ['a header longer than the record', '1000000001010208 01'.replace(' ', '')],
    ['a varint of six bytes', '16000080808080800001010000'],
    ['bytes after the last record', '0c00000001010000'],
  ])('%s', (_what, hex) => {
    expect(() => drain(around(Buffer.from(hex, 'hex'), 1, Compression.none))).toThrow(
      MalformedError,
    )
  })

  test('an incomplete batch', () => {
    const builder = new RecordBatchBuilder()
    builder.append(1, null, Buffer.from('value'))
    const cut = builder.build().subarray(0, -1)
    expect(() => new RecordCursor(new RecordBatch(cut), maxBytes)).toThrow(MalformedError)
  })
})
