// Envelopes: the other fields of a record, read on demand or as a plain copy.

import { expect, expectTypeOf, test } from 'vitest'
import { requirePlainElements } from '../../../engine/rdd/plainResults.ts'
import { bytes } from '../../../engine/rows/bytes.ts'
import { csv } from '../../../engine/rows/csv.ts'
import { type Envelope, envelope } from '../../../engine/rows/envelope.ts'
import { json } from '../../../engine/rows/json.ts'
import type { RowFormat } from '../../../engine/rows/rowFormat.ts'
import { ScannedRecord } from '../../../engine/rows/sourceRecord.ts'
import { text } from '../../../engine/rows/text.ts'
import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { RecordCursor } from '../../../protocol/kafka/records/recordCursor.ts'
import { anyRecord } from '../sources/lineRecords.ts'

const headers = [
  { key: 'trace', value: Buffer.from('t-1') },
  { key: 'empty', value: null },
  { key: 'trace', value: Buffer.from('t-2') },
]

/** Returns one row for each record of a batch, all created before the first is read. */
function rowsOf<Row>(format: RowFormat<Row>): Row[] {
  const builder = new RecordBatchBuilder()
  builder.append(1000, Buffer.from('kå'), Buffer.from('1,2'), headers)
  builder.append(1001, null, Buffer.from('3,4'))
  builder.append(1002, Buffer.from('gone'), null)
  const batch = new RecordBatch(builder.build())
  batch.baseOffset = 70
  const cursor = new RecordCursor(batch, 1e6)
  const record = new ScannedRecord('orders', 3, cursor)
  const rows: Row[] = []
  while (cursor.next()) {
    if (cursor.valueStart >= 0) {
      rows.push(format.row(cursor.bytes, cursor.valueStart, cursor.valueEnd, record))
    } else if (format.tombstone) rows.push(format.tombstone(record))
  }
  return rows
}

test('an envelope has the row, and all other fields of its record', () => {
  const [first, second] = rowsOf(envelope(csv(['a', 'b'])))
  expect(first).toMatchObject({ topic: 'orders', partition: 3, offset: 70, timestampMs: 1000 })
  expect(first!.row.b).toBe('2')
  expect(first!.key).toEqual(Buffer.from('kå'))
  expect(first!.keyText).toBe('kå')
  expect(first!.headers).toEqual(headers)
  expect(first!.header('trace')).toBe('t-2')
  expect(first!.header('empty')).toBeUndefined()
  expect(first!.header('other')).toBeUndefined()
  expect(second).toMatchObject({ offset: 71, key: null, keyText: null, headers: [] })
  expect(second!.row.a).toBe('3')
})

test('records without a value are included only on request', () => {
  expect(rowsOf(envelope(text()))).toHaveLength(2)
  const rows = rowsOf(envelope(text(), { tombstones: true }))
  expect(rows.map(({ row }) => row?.line)).toEqual(['1,2', '3,4', undefined])
  expect(rows[2]).toMatchObject({ row: null, keyText: 'gone', offset: 72 })
  expectTypeOf(rows).toEqualTypeOf<Envelope<{ readonly line: string } | null>[]>()
  expectTypeOf(rowsOf(envelope(text()))).toEqualTypeOf<Envelope<{ readonly line: string }>[]>()
})

test('an envelope cannot leave its task; its plain copy can, and owns its memory', () => {
  const [first] = rowsOf(envelope(csv(['a', 'b'])))
  expect(() => requirePlainElements([first])).toThrow(/RecordEnvelope cannot go to another task/)
  const plain = first!.toPlain()
  requirePlainElements([plain])
  expect(structuredClone(plain)).toEqual({
    ...{ row: { a: '1', b: '2' }, topic: 'orders', partition: 3, offset: 70, timestampMs: 1000 },
    key: new Uint8Array(Buffer.from('kå')),
    headers: headers.map(({ key, value }) => ({ key, value: value && new Uint8Array(value) })),
  })
  expect(plain.key!.buffer.byteLength).toBe(3)
  expect(JSON.parse(JSON.stringify(first))).toMatchObject({ row: { a: '1' }, key: 'kå' })
})

test('bytes are a copy of the value', () => {
  const value = Buffer.from('<abc>')
  const row = bytes().row(value, 1, 4, anyRecord)
  value.fill(0)
  expect(row.toString()).toBe('abc')
  expect(row.buffer.byteLength).toBe(3)
})

test('formats have distinct descriptions', () => {
  const formats = [
    bytes(),
    envelope(bytes()),
    envelope(bytes(), { tombstones: true }),
    envelope(text()),
    json(),
  ]
  expect(new Set(formats.map((format) => format.describe())).size).toBe(formats.length)
})
