// The batch that ends a transaction: in Kafka's format, and not confused with any other batch.

import { expect, test } from 'vitest'
import {
  buildEndTransactionMarker,
  readEndTransactionMarker,
} from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { RecordBatch, validateBatch } from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'

const producer = { producerId: 4000, producerEpoch: 3 }
const abort = { isCommit: false, coordinatorEpoch: 9 }

function control(key: Buffer | null, value: Buffer | null): RecordBatch {
  const builder = new RecordBatchBuilder({ ...producer, isControl: true, isTransactional: true })
  builder.append(1000, key, value)
  return new RecordBatch(builder.build())
}

test('a marker is a control batch of its producer, with one record', () => {
  const batch = new RecordBatch(buildEndTransactionMarker(producer, abort, 5000))
  validateBatch(batch, { maxBytes: 1000 })
  expect(batch).toMatchObject({
    isControl: true,
    isTransactional: true,
    ...producer,
    baseSequence: -1,
    recordCount: 1,
    maxTimestamp: 5000,
  })
  // Length, attributes, deltas, key (version, type), value (version, coordinator epoch), headers.
  expect(batch.bytes.subarray(61).toString('hex')).toBe('2000000008000000000c00000000000900')
})

test('a marker says how its transaction ended', () => {
  for (const marker of [abort, { isCommit: true, coordinatorEpoch: 0 }]) {
    const bytes = buildEndTransactionMarker(producer, marker, 1000)
    expect(readEndTransactionMarker(new RecordBatch(bytes))).toEqual(marker)
  }
})

test('other batches are not markers', () => {
  const value = Buffer.from('000000000009', 'hex')
  expect(readEndTransactionMarker(control(Buffer.from('00000002', 'hex'), value))).toBeUndefined()
  expect(readEndTransactionMarker(control(Buffer.from('0000', 'hex'), value))).toBeUndefined()
  expect(readEndTransactionMarker(control(null, value))).toBeUndefined()
  const key = Buffer.from('00000000', 'hex')
  expect(readEndTransactionMarker(control(key, null))).toBeUndefined()
  expect(readEndTransactionMarker(control(key, value.subarray(0, 3)))).toBeUndefined()
  expect(readEndTransactionMarker(control(key, value))).toEqual(abort)
})

test('a marker emptied by compaction ends no transaction', () => {
  const bytes = buildEndTransactionMarker(producer, abort, 1000).subarray(0, 61)
  bytes.writeInt32BE(49, 8)
  bytes.writeInt32BE(0, 57)
  expect(readEndTransactionMarker(new RecordBatch(bytes))).toBeUndefined()
})
