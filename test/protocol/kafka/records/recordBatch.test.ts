import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import { crc32c } from '../../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import {
  RecordBatch,
  RecordBatchField,
  sequenceAfter,
  splitBatches,
  validateBatch,
} from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'

const limits = { maxBytes: 1_000_000 }

function build(values: readonly string[], options = {}): Buffer {
  const builder = new RecordBatchBuilder(options)
  for (const value of values) builder.append(1000, null, Buffer.from(value))
  return builder.build()
}

describe('the header in place', () => {
  test('every field of a built batch', () => {
    const builder = new RecordBatchBuilder({
      producerId: 7_000_000_000,
      producerEpoch: 3,
      baseSequence: 2 ** 31 - 2,
      compression: Compression.gzip,
      isTransactional: true,
    })
    builder.append(5000, null, Buffer.from('a'))
    builder.append(4000, null, Buffer.from('b'))
    builder.append(6000, null, Buffer.from('c'))
    const bytes = builder.build()
    const batch = new RecordBatch(bytes)
    validateBatch(batch, limits)
    expect(batch).toMatchObject({
      baseOffset: 0,
      sizeInBytes: bytes.length,
      partitionLeaderEpoch: -1,
      magic: 2,
      compression: Compression.gzip,
      timestampType: 'create',
      isTransactional: true,
      isControl: false,
      lastOffsetDelta: 2,
      lastOffset: 2,
      nextOffset: 3,
      baseTimestamp: 5000,
      maxTimestamp: 6000,
      producerId: 7_000_000_000,
      producerEpoch: 3,
      baseSequence: 2 ** 31 - 2,
      lastSequence: 0,
      recordCount: 3,
    })
  })

  test('offset and leader epoch change without the CRC', () => {
    const batch = new RecordBatch(build(['a', 'b']))
    const { crc } = batch
    batch.baseOffset = 2 ** 40
    batch.partitionLeaderEpoch = 17
    expect(batch).toMatchObject({ baseOffset: 2 ** 40, partitionLeaderEpoch: 17, crc })
    expect(batch.lastOffset).toBe(2 ** 40 + 1)
    expect(batch.isCrcValid()).toBe(true)
  })

  test('log append time and the producer change with the CRC', () => {
    const batch = new RecordBatch(build(['a']))
    batch.setMaxTimestamp('logAppend', 123_456)
    expect(batch).toMatchObject({ timestampType: 'logAppend', maxTimestamp: 123_456 })
    expect(batch.isCrcValid()).toBe(true)
    batch.setMaxTimestamp('create', 99)
    expect(batch).toMatchObject({ timestampType: 'create', maxTimestamp: 99 })
    batch.setProducer(5, 6, 7)
    expect(batch).toMatchObject({ producerId: 5, producerEpoch: 6, baseSequence: 7 })
    expect(batch.isCrcValid()).toBe(true)
  })

  test('a view may begin anywhere in the bytes', () => {
    const bytes = Buffer.concat([Buffer.alloc(5), build(['a', 'b', 'c'])])
    const batch = new RecordBatch(bytes, 5)
    batch.baseOffset = 12
    expect(batch).toMatchObject({ baseOffset: 12, lastOffset: 14 })
    expect(batch.isCrcValid()).toBe(true)
  })

  test('sequences wrap from 2^31 - 1 to 0', () => {
    expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0)
    expect(sequenceAfter(2 ** 31 - 1, 0)).toBe(2 ** 31 - 1)
    expect(sequenceAfter(5, 3)).toBe(8)
  })
})

describe('validateBatch', () => {
  /** Writes into the header, and corrects the CRC so that only the field itself is wrong. */
  function damaged(write: (bytes: Buffer) => void): RecordBatch {
    const bytes = build(['a', 'b'], { producerId: 1, producerEpoch: 0, baseSequence: 0 })
    write(bytes)
    bytes.writeUInt32BE(crc32c(bytes, RecordBatchField.attributes), RecordBatchField.crc)
    return new RecordBatch(bytes)
  }
  const field = RecordBatchField

  test.each<[string, (bytes: Buffer) => void]>([
    ['an older magic', (b) => b.writeInt8(1, field.magic)],
    ['a size past the end', (b) => b.writeInt32BE(b.length, field.batchLength)],
    ['a size below the header', (b) => b.writeInt32BE(48, field.batchLength)],
    ['a negative size', (b) => b.writeInt32BE(-1, field.batchLength)],
    ['more records than offsets', (b) => b.writeInt32BE(3, field.recordCount)],
    ['a negative record count', (b) => b.writeInt32BE(-1, field.recordCount)],
    ['a negative last offset', (b) => b.writeInt32BE(-1, field.lastOffsetDelta)],
    ['an unknown codec', (b) => b.writeInt16BE(5, field.attributes)],
    ['a negative base offset', (b) => b.writeInt32BE(-1, field.baseOffset)],
    ['an unsafe base offset', (b) => b.writeInt32BE(2 ** 30, field.baseOffset)],
    ['an unsafe timestamp', (b) => b.writeInt32BE(2 ** 30, field.maxTimestamp)],
    ['a producer id below -1', (b) => b.writeInt32BE(-2, field.producerId)],
    ['a producer without epoch', (b) => b.writeInt16BE(-1, field.producerEpoch)],
    ['a producer without sequence', (b) => b.writeInt32BE(-1, field.baseSequence)],
  ])('refuses %s', (_what, write) => {
    expect(() => validateBatch(damaged(write), limits)).toThrow(MalformedError)
  })

  test('accepts the same batch when valid, and one with offset gaps', () => {
    validateBatch(
      damaged(() => {}),
      limits,
    )
    validateBatch(
      damaged((bytes) => bytes.writeInt32BE(9, field.lastOffsetDelta)),
      limits,
    )
  })

  test('refuses a wrong CRC and a batch over the limit', () => {
    const bytes = build(['a'])
    expect(() => validateBatch(new RecordBatch(bytes), { maxBytes: 61 })).toThrow(MalformedError)
    bytes[bytes.length - 1]! ^= 1
    expect(() => validateBatch(new RecordBatch(bytes), limits)).toThrow(/CRC/)
  })

  test('any single corrupt byte that the CRC covers is detected', () => {
    const original = build(['some', 'records'])
    fc.assert(
      fc.property(
        fc.integer({ min: field.crc, max: original.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const bytes = Buffer.from(original)
          bytes[at]! ^= flip
          expect(new RecordBatch(bytes).isCrcValid()).toBe(false)
        },
      ),
    )
  })
})

describe('splitBatches', () => {
  const three = [build(['a']), build(['b', 'b']), build(['c', 'c', 'c'])]
  const bytes = Buffer.concat(three)

  test('yields complete batches and stops before a partial one, wherever it is truncated', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      let end = 0
      const whole = three.filter((batch) => {
        end += batch.length
        return end <= cut
      })
      const found = [...splitBatches(bytes.subarray(0, cut))]
      expect(found.map((batch) => batch.recordCount)).toEqual(whole.map((_, n) => n + 1))
      expect([...splitBatches(bytes, 0, cut)]).toHaveLength(found.length)
    }
  })

  test('starts at the given index', () => {
    const [second] = splitBatches(bytes, three[0]!.length)
    expect(second).toMatchObject({ start: three[0]!.length, recordCount: 2 })
  })

  test.each([-1, 0, 48])('a length field of %d is malformed', (length) => {
    const broken = Buffer.from(three[0]!)
    broken.writeInt32BE(length, RecordBatchField.batchLength)
    expect(() => [...splitBatches(broken)]).toThrow(MalformedError)
  })

  test('a truncated header is malformed', () => {
    expect(() => new RecordBatch(Buffer.alloc(60))).toThrow(MalformedError)
  })
})
