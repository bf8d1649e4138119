// A record as people read it: keys, values and headers as JSON or text where that is what they are, and as
// base64 otherwise; bounded, and saying what was cut off.

import { isUtf8 } from 'node:buffer'
import { type Static, Type } from 'typebox'
import { Compression } from '../../../../../protocol/bytes/compression.ts'
import type { RecordBatch } from '../../../../../protocol/kafka/recordBatch.ts'
import type { RecordCursor } from '../../../../../protocol/kafka/recordCursor.ts'

export const shownBytes = Type.Object(
  {
    encoding: Type.Enum(['json', 'text', 'base64', 'null'], {
      description:
        'What `data` is: a JSON object or array, text (UTF-8), base64 of bytes that are neither, or null for nothing.',
    }),
    data: Type.Unknown(),
    size_bytes: Type.Integer({ description: 'Of the whole; 0 for null.' }),
    truncated: Type.Boolean({ description: 'Whether `data` is only the beginning.' }),
  },
  { description: 'Bytes of a record, as they are best read.' },
)

const headerSchema = Type.Object({ name: Type.String(), value: shownBytes })

export const shownRecord = Type.Object({
  partition: Type.Integer(),
  offset: Type.Integer(),
  timestamp: Type.Union([Type.String(), Type.Null()], {
    description: 'ISO 8601, in UTC; null for a record without one.',
  }),
  timestamp_ms: Type.Integer({ description: 'Since the epoch; -1 for a record without one.' }),
  timestamp_type: Type.Enum(['create_time', 'log_append_time']),
  key: shownBytes,
  value: shownBytes,
  headers: Type.Array(headerSchema),
  headers_left_out: Type.Integer({ description: 'Headers beyond those that are shown.' }),
  size_bytes: Type.Integer({ description: 'In its batch, uncompressed.' }),
  compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
    description: 'Of the batch that the record is in.',
  }),
  transactional: Type.Boolean({ description: 'Whether it was written in a transaction.' }),
  producer_id: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Of an idempotent or transactional producer.',
  }),
})

export type ShownBytes = Static<typeof shownBytes>
export type ShownRecord = Static<typeof shownRecord>

const compressions = Object.entries(Compression)
const mostHeaders = 100
/** Of a key or a header, whatever is asked for of the value. */
const mostKeyBytes = 16 * 1024
const latestDateMs = 8.64e15

/** The record that the cursor is at. Nothing of the batch's memory is kept. */
export function showRecord(
  partition: number,
  batch: RecordBatch,
  cursor: RecordCursor,
  mostValueBytes: number,
): ShownRecord {
  const { bytes, offset, timestamp, keyStart, keyEnd, valueStart, valueEnd } = cursor
  const part = (start: number, end: number) => (start < 0 ? null : bytes.subarray(start, end))
  const { producerId, compression, isTransactional } = batch
  return {
    partition,
    offset,
    timestamp: isoTime(timestamp),
    timestamp_ms: timestamp,
    timestamp_type: batch.timestampType === 'logAppend' ? 'log_append_time' : 'create_time',
    key: showBytes(part(keyStart, keyEnd), mostKeyBytes),
    value: showBytes(part(valueStart, valueEnd), mostValueBytes),
    headers: headersOf(cursor),
    headers_left_out: Math.max(0, cursor.headerCount - mostHeaders),
    size_bytes: cursor.recordEnd - cursor.recordStart,
    compression: (compressions.find(([, code]) => code === compression)?.[0] ??
      'none') as ShownRecord['compression'],
    transactional: isTransactional,
    producer_id: producerId < 0 ? null : producerId,
  }
}

export function isoTime(timeMs: number): string | null {
  return timeMs < 0 || timeMs > latestDateMs ? null : new Date(timeMs).toISOString()
}

export function showBytes(bytes: Buffer | null, most: number): ShownBytes {
  if (bytes === null) return { encoding: 'null', data: null, size_bytes: 0, truncated: false }
  const truncated = bytes.length > most
  const shown = truncated ? wholeCharacters(bytes, most) : bytes
  const common = { size_bytes: bytes.length, truncated }
  if (!isText(shown)) {
    const data = bytes.subarray(0, most).toString('base64')
    return { encoding: 'base64', data, ...common }
  }
  const text = shown.toString()
  const json = truncated ? undefined : jsonOf(text)
  if (json !== undefined) return { encoding: 'json', data: json, ...common }
  return { encoding: 'text', data: text, ...common }
}

function headersOf(cursor: RecordCursor): ShownRecord['headers'] {
  if (cursor.headerCount === 0) return []
  return cursor
    .headers()
    .slice(0, mostHeaders)
    .map(({ key, value }) => ({
      name: key.slice(0, mostKeyBytes),
      value: showBytes(value, mostKeyBytes),
    }))
}

/** Up to the last character that ends before `most`: half a character would make the rest look binary. */
function wholeCharacters(bytes: Buffer, most: number): Buffer {
  let end = most
  while (end > 0 && end > most - 4 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

/** UTF-8 without the control characters that text does not have. */
function isText(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false
  for (const byte of bytes) {
    const isControl = byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d
    if (isControl || byte === 0x7f) return false
  }
  return true
}

/** Integers that a double cannot hold would come out as others. */
const longNumber = /\d{16}/
/** Of numbers in JSON: deeper values than a reader of the answer could take apart stay text. */
const mostDepth = 64

/** Objects and arrays; a number or a word alone is as well read as text. Undefined for what is none. */
function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text) || longNumber.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isShallow(value, mostDepth) ? value : undefined
  } catch {
    return undefined
  }
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  return Object.values(value).every((each) => isShallow(each, depth - 1))
}
