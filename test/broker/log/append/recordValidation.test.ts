// How the configuration of a topic changes record batches: not at all if it requires nothing, and
// to the same records in another compression if it does. The cost of decoding records is bounded.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AdmittedBatches, admitBatches } from '../../../../broker/log/append/batchAdmission.ts'
import type { Refusal } from '../../../../broker/log/append/refusal.ts'
import { defaultLogConfig, type LogConfig } from '../../../../broker/log/logConfig.ts'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import { MemoryAllowance } from '../../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  RecordBatchField,
  recordBatchOverheadBytes,
  validateBatch,
} from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { withRecords } from '../../../fuzz/forgedBatches.ts'

const nowMs = 10_000_000
const most = 1_000_000
const compacted = { cleanupPolicy: { delete: false, compact: true } }

interface Plain {
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
}

function batch(plain: readonly Plain[], compression: Compression = Compression.none): Buffer {
  const builder = new RecordBatchBuilder({
    compression,
    producerId: 7,
    producerEpoch: 2,
    baseSequence: 40,
    isTransactional: true,
  })
  for (const { key, value, timestampMs } of plain) {
    builder.append(timestampMs, asBytes(key), asBytes(value), [{ key: 'h', value: null }])
  }
  return builder.build()
}

const asBytes = (text: string | null) => (text === null ? null : Buffer.from(text))
const valued = (...values: string[]): Plain[] =>
  values.map((value) => ({ key: value, value, timestampMs: nowMs }))

function admit(
  bytes: Buffer,
  config: Partial<LogConfig>,
  decompression = new MemoryAllowance(most),
): Refusal | AdmittedBatches {
  const options = { leaderEpoch: 0, origin: 'client', decompression } as const
  return admitBatches(bytes, options, 0, { ...defaultLogConfig, ...config }, nowMs)
}

function admitted(admission: Refusal | AdmittedBatches): Buffer {
  if ('kind' in admission) throw new Error(admission.message)
  return admission.bytes
}

const plainRecords = fc.array(
  fc.record({
    key: fc.option(fc.string()),
    value: fc.option(fc.string({ size: 'large' })),
    timestampMs: fc.integer({ min: 0, max: nowMs }),
  }),
  { minLength: 1, maxLength: 20 },
)
const codec = fc.constantFrom(...Object.values(Compression))
const types = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const

describe('validating records', () => {
  it('a batch that is recompressed keeps its records and its header', () => {
    fc.assert(
      fc.property(
        plainRecords,
        codec,
        fc.constantFrom(...types),
        (plain, from, compressionType) => {
          const sent = batch(plain, from)
          const before = new RecordBatch(sent)
          const after = new RecordBatch(admitted(admit(sent, { compressionType })))
          validateBatch(after, { maxBytes: most })
          expect(after.compression).toBe(types.indexOf(compressionType))
          expect([...records(after, most)]).toEqual([...records(before, most)])
          const fields = ['baseTimestamp', 'maxTimestamp', 'producerId', 'producerEpoch'] as const
          for (const field of fields) expect(after[field], field).toBe(before[field])
          expect(after.baseSequence).toBe(40)
          expect(after.isTransactional).toBe(true)
          expect(after.lastOffsetDelta).toBe(plain.length - 1)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('a batch that needs no change is passed on in the same memory', () => {
    const sent = batch([{ key: null, value: 'v', timestampMs: 1 }], Compression.zstd)
    expect(admitted(admit(sent, {}))).toBe(sent)
    expect(admitted(admit(sent, { compressionType: 'zstd' }))).toBe(sent)
  })

  it('the compression level of the topic is used', () => {
    const words = Array.from({ length: 2000 }, (_, index) => `word ${index % 97} ${index}`)
    const size = (gzip: number) => {
      const levels = { gzip, lz4: 9, zstd: 3 }
      const config = { compressionType: 'gzip', compressionLevels: levels } as const
      return admitted(admit(batch(valued(...words)), config)).length
    }
    expect(size(9)).toBeLessThan(size(1))
  })

  it('the records without a key that a compacted topic refuses are named', () => {
    const sent = batch([
      { key: 'a', value: 'v', timestampMs: 1 },
      { key: null, value: 'v', timestampMs: 1 },
      { key: '', value: null, timestampMs: 1 },
      { key: null, value: 'v', timestampMs: 1 },
    ])
    const refusal = admit(sent, compacted)
    expect(refusal).toMatchObject({
      errorCode: ErrorCode.invalidRecord,
      recordErrors: [{ batchIndex: 1 }, { batchIndex: 3 }],
    })
    expect(admitted(admit(batch(valued('a', 'b')), compacted))).toBeInstanceOf(Buffer)
  })

  it('timestamps must be within their bounds, unless the log sets them', () => {
    const at = (timestampMs: number) => [{ key: 'k', value: 'v', timestampMs }]
    const sent = batch([...at(nowMs), ...at(nowMs + 3_600_001), ...at(nowMs + 3_600_000)])
    expect(admit(sent, {})).toMatchObject({
      errorCode: ErrorCode.invalidTimestamp,
      recordErrors: [{ batchIndex: 1 }],
    })
    expect(admitted(admit(sent, { messageTimestampType: 'LogAppendTime' }))).toBe(sent)
    const old = batch([...at(nowMs - 1001), ...at(nowMs - 1000), ...at(-1)])
    expect(admit(old, { messageTimestampBeforeMaxMs: 1000 })).toMatchObject({
      errorCode: ErrorCode.invalidTimestamp,
      recordErrors: [{ batchIndex: 0 }],
    })
  })

  it('a batch that decompresses to more than the limit is refused', () => {
    const bomb = batch(valued('0'.repeat(2 * most)), Compression.gzip)
    expect(bomb.length).toBeLessThan(10_000)
    expect(admit(bomb, compacted)).toMatchObject({ errorCode: ErrorCode.invalidRecord })
  })

  it('the limit on decompression is shared by all batches of a request', () => {
    const { invalidRecord } = ErrorCode
    const large = batch(valued('x'.repeat(most * 0.2)), Compression.gzip)
    const allowance = new MemoryAllowance(most)
    for (const _ of [0, 1]) expect(admitted(admit(large, compacted, allowance))).toBe(large)
    expect(admit(large, compacted, allowance)).toMatchObject({ errorCode: invalidRecord })
    // The cost of a stream that cannot be read is unknown: after some, none may expand far.
    const broken = withRecords(large, Compression.gzip, Buffer.from('no gzip'))
    const tried = new MemoryAllowance(most)
    for (let count = 0; count < 8; count++) {
      expect(admit(broken, compacted, tried)).toMatchObject({ errorCode: invalidRecord })
    }
    expect(tried.leftBytes).toBe(0)
    expect(admit(large, compacted, tried)).toMatchObject({ errorCode: invalidRecord })
    for (const codec of [Compression.gzip, Compression.none]) {
      const small = batch(valued('a'), codec)
      expect(admitted(admit(small, compacted, tried))).toBe(small)
    }
  })

  it('a batch may always expand to 32 times its size', () => {
    const values = Array.from({ length: 500 }, (_, number) => `line ${number} `.repeat(20))
    const sent = batch(valued(...values), Compression.zstd)
    const decompressed = batch(valued(...values)).length
    expect(decompressed / sent.length).toBeGreaterThan(20)
    expect(decompressed / sent.length).toBeLessThan(32)
    const allowance = new MemoryAllowance(decompressed)
    for (let count = 0; count < 10; count++) admitted(admit(sent, {}, allowance))
    expect(allowance.leftBytes).toBe(decompressed)
    // No single batch may be larger than the allowance of its request beyond that.
    expect(admit(sent, {}, new MemoryAllowance(decompressed / 2))).toMatchObject({
      errorCode: ErrorCode.invalidRecord,
    })
  })

  it('the records of a damaged, truncated or oversized batch are not decoded', () => {
    const sent = batch(valued('a', 'b'))
    const damaged = Buffer.from(sent)
    damaged[damaged.length - 1]! ^= 1
    const cut = sent.subarray(0, -1)
    const both = Buffer.concat([sent, cut])
    const lengthy = Buffer.from(sent)
    lengthy.writeInt32BE(2 ** 30, RecordBatchField.batchLength)
    for (const bytes of [damaged, cut, both, lengthy, sent.subarray(0, 20)]) {
      expect(admit(bytes, compacted)).toMatchObject({ errorCode: ErrorCode.corruptMessage })
    }
    expect(admit(sent, { ...compacted, maxMessageBytes: 10 })).toMatchObject({
      errorCode: ErrorCode.messageTooLarge,
    })
  })

  it('a batch that is too large after conversion is refused', () => {
    const sent = batch(valued('x'.repeat(5000)), Compression.gzip)
    const config = { compressionType: 'uncompressed', maxMessageBytes: 1000 } as const
    expect(admit(sent, config)).toMatchObject({ errorCode: ErrorCode.messageTooLarge })
  })

  it('rare but valid records are accepted', () => {
    const builder = new RecordBatchBuilder()
    const headers = Array.from({ length: 70 }, (_, number) => ({ key: `${number}`, value: null }))
    builder.append(nowMs, null, null, headers)
    builder.append(nowMs - 9_000_000, Buffer.alloc(0), Buffer.alloc(20_000))
    builder.append(nowMs - 1, null, null, [{ key: 'k'.repeat(9000), value: Buffer.alloc(9000) }])
    const sent = builder.build()
    new RecordBatch(sent).setMaxTimestamp('create', -1)
    expect(new RecordBatch(admitted(admit(sent, {}))).maxTimestamp).toBe(nowMs)
  })

  it('any compressed bytes are answered, and never throw', () => {
    const mutation = fc.record({ at: fc.nat(), byte: fc.nat(255) })
    // A changed byte can also be one of a timestamp.
    const refusals = [ErrorCode.invalidRecord, ErrorCode.invalidTimestamp]
    fc.assert(
      fc.property(plainRecords, codec, fc.array(mutation), (plain, from, mutations) => {
        const sent = batch(plain, from)
        for (const { at, byte } of mutations) {
          sent[recordBatchOverheadBytes + (at % (sent.length - recordBatchOverheadBytes))] = byte
        }
        // Updates the CRC.
        new RecordBatch(sent).setProducer(1, 1, 1)
        const result = admit(sent, { ...compacted, compressionType: 'gzip' })
        if ('errorCode' in result) expect(refusals).toContain(result.errorCode)
        else validateBatch(new RecordBatch(result.bytes), { maxBytes: most })
      }),
      { numRuns: 500 },
    )
  })

  it('each of several batches is converted', () => {
    const sent = Buffer.concat([batch(valued('a')), batch(valued('b', 'c'), Compression.snappy)])
    const bytes = admitted(admit(sent, { compressionType: 'snappy' }))
    const first = new RecordBatch(bytes)
    const second = new RecordBatch(bytes, first.sizeInBytes)
    expect([first.compression, second.compression]).toEqual([2, 2])
    expect([...records(second, most)].map(({ value }) => String(value))).toEqual(['b', 'c'])
    expect(first.sizeInBytes + second.sizeInBytes).toBe(bytes.length)
  })
})
