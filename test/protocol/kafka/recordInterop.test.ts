// kafkajs has its own codec of record batches: each side must read what the other writes.

import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { RecordBatch, validateBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'

interface KafkaJsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: globalThis.Record<string, Buffer>
}
interface KafkaJsBatch {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly maxTimestamp: string
  readonly producerId: string
  readonly inTransaction: boolean
  readonly records: readonly KafkaJsRecord[]
}

const require = createRequire(import.meta.url)
const source = 'kafkajs/src/protocol'
const { RecordBatch: encodeBatch } = require(`${source}/recordBatch/v0`) as {
  RecordBatch(options: object): Promise<{ buffer: Buffer }>
}
const encodeRecord = require(`${source}/recordBatch/record/v0`) as (options: object) => unknown
const decodeBatch = require(`${source}/recordBatch/v0/decoder`) as (
  d: unknown,
) => Promise<KafkaJsBatch>
const Decoder = require(`${source}/decoder`) as new (bytes: Buffer) => unknown
const Long = require('kafkajs/src/utils/long') as { fromValue(value: number): unknown }

const firstTimestamp = 1_700_000_000_000
const inputs = Array.from({ length: 300 }, (_, n) => ({
  timestamp: firstTimestamp + n * 1000,
  key: n % 3 === 0 ? null : Buffer.from(`key-${n}`),
  value: n % 7 === 0 ? null : Buffer.from('väl'.repeat(n)),
  headers: n % 5 === 0 ? [{ key: 'hôst', value: Buffer.from(`h${n}`) }] : [],
}))

// kafkajs itself knows no other codecs than these.
const codecs = [
  ['none', Compression.none],
  ['gzip', Compression.gzip],
] as const

describe.each(codecs)('compression %s', (_name, compression) => {
  test('kafkajs reads what we write', async () => {
    const builder = new RecordBatchBuilder({
      compression,
      producerId: 9,
      producerEpoch: 1,
      baseSequence: 0,
    })
    for (const { timestamp, key, value, headers } of inputs) {
      builder.append(timestamp, key, value, headers)
    }
    const bytes = builder.build()
    new RecordBatch(bytes).baseOffset = 5_000_000_000
    const batch = await decodeBatch(new Decoder(bytes))
    expect(batch).toMatchObject({
      firstOffset: '5000000000',
      lastOffsetDelta: inputs.length - 1,
      maxTimestamp: String(inputs.at(-1)!.timestamp),
      producerId: '9',
      inTransaction: false,
    })
    expect(batch.records).toHaveLength(inputs.length)
    for (const [n, record] of batch.records.entries()) {
      const input = inputs[n]!
      expect(record.offset).toBe(String(5_000_000_000 + n))
      expect(record.timestamp).toBe(String(input.timestamp))
      expect(record.key).toEqual(input.key)
      expect(record.value).toEqual(input.value)
      const headers = Object.fromEntries(input.headers.map(({ key, value }) => [key, value]))
      expect(record.headers).toEqual(headers)
    }
  })

  test('we read what kafkajs writes', async () => {
    const { buffer } = await encodeBatch({
      compression,
      firstTimestamp,
      maxTimestamp: inputs.at(-1)!.timestamp,
      lastOffsetDelta: inputs.length - 1,
      firstSequence: 4,
      producerId: Long.fromValue(77),
      producerEpoch: 2,
      records: inputs.map(({ timestamp, key, value, headers }, offsetDelta) =>
        encodeRecord({
          offsetDelta,
          timestampDelta: timestamp - firstTimestamp,
          key,
          value,
          headers: Object.fromEntries(headers.map((header) => [header.key, header.value])),
        }),
      ),
    })
    const batch = new RecordBatch(buffer)
    validateBatch(batch, { maxBytes: 1_000_000 })
    expect(batch).toMatchObject({ producerId: 77, producerEpoch: 2, baseSequence: 4, compression })
    const expected = inputs.map((input, offset) => ({ ...input, offset }))
    expect([...records(batch, 10_000_000)]).toEqual(expected)
  })
})
