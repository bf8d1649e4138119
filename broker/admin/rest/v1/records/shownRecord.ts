// A record in readable form: keys, values and headers as JSON or text if they are that, otherwise
// as base64; truncated to a bound, with the original sizes.

import { isUtf8 } from 'node:buffer'
import { type Static, Type } from 'typebox'
import { Compression } from '../../../../../protocol/bytes/compression.ts'
import type { RecordBatch } from '../../../../../protocol/kafka/records/recordBatch.ts'
import type { RecordCursor } from '../../../../../protocol/kafka/records/recordCursor.ts'

export const shownBytes = Type.Object(
  {
    encoding: Type.Enum(['json', 'text', 'base64', 'null'], {
      description:
        'Encoding of `data`: a JSON object or array, text (UTF-8), base64 of other bytes, or null.',
    }),
    data: Type.Unknown(),
    size_bytes: Type.Integer({ description: 'Size before truncation; 0 for null.' }),
    truncated: Type.Boolean({ description: 'Whether `data` is truncated.' }),
  },
  { description: 'Bytes of a record in readable form.' },
)

const headerSchema = Type.Object({ name: Type.String(), value: shownBytes })

export const shownRecord = Type.Object({
  partition: Type.Integer(),
  offset: Type.Integer(),
  timestamp: Type.Union([Type.String(), Type.Null()], {
    description: 'ISO 8601, in UTC; null if the record has no timestamp.',
  }),
  timestamp_ms: Type.Integer({
    description: 'Milliseconds since the epoch; -1 if the record has no timestamp.',
  }),
  timestamp_type: Type.Enum(['create_time', 'log_append_time']),
  key: shownBytes,
  value: shownBytes,
  headers: Type.Array(headerSchema),
  headers_left_out: Type.Integer({ description: 'Number of headers that are not shown.' }),
  size_bytes: Type.Integer({ description: 'Uncompressed size in its batch.' }),
  compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
    description: "Compression of the record's batch.",
  }),
  transactional: Type.Boolean({ description: 'Whether the record was written in a transaction.' }),
  producer_id: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Producer id of an idempotent or transactional producer.',
  }),
})

export type ShownBytes = Static<typeof shownBytes>
export type ShownRecord = Static<typeof shownRecord>

const compressions = Object.entries(Compression)
const mostHeaders = 100
/** Bound for a key or a header, whatever the bound for the value. */
const mostKeyBytes = 16 * 1024
const latestDateMs = 8.64e15

/** Returns the record at the cursor. Copies: nothing refers to the memory of the batch. */
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

/** Truncates to whole characters: half a character would make the text look binary. */
function wholeCharacters(bytes: Buffer, most: number): Buffer {
  let end = most
  while (end > 0 && end > most - 4 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

/** Whether the bytes are UTF-8 without control characters that text does not use. */
function isText(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false
  for (const byte of bytes) {
    const isControl = byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d
    if (isControl || byte === 0x7f) return false
  }
  return true
}

/** Integers that a double cannot represent would change. */
const longNumber = /\d{16}/
/** Maximum depth of JSON: deeper values stay text, so that readers can process the response. */
const mostDepth = 64

/**
 * Parses objects and arrays only; a single number or word reads well as text. Undefined if it is
 * not JSON.
 */
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
