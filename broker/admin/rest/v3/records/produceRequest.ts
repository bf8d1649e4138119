// A record to produce, in the format of Confluent's API: a key and a value, each with a type that
// determines how its data is encoded.

import { Type } from 'typebox'
import type { ProducerRecord } from '../../../../../protocol/client/producer/producer.ts'
import { bodyValidator } from '../../requestValidation.ts'
import { RestError } from '../../restError.ts'
import { nullable, type ResourceOf } from '../resource.ts'
import { parseExactly } from './exactJson.ts'

const dataSchema = Type.Object(
  {
    type: Type.Optional(
      Type.Enum(['BINARY', 'JSON', 'STRING', 'AVRO', 'JSONSCHEMA', 'PROTOBUF'], {
        description:
          'BINARY: base64. JSON: any value, stored as JSON text. STRING: text, in UTF-8. Other types need a schema registry and are refused.',
      }),
    ),
    data: Type.Optional(Type.Unknown({ description: 'Null or absent: no key, or no value.' })),
  },
  { examples: [{ type: 'JSON', data: { amount: 3 } }] },
)

const recordFields = {
  partition_id: Type.Optional(
    nullable(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), {
      description: 'Default: chosen by the key, or at random without a key.',
    }),
  ),
  headers: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        value: Type.Optional(nullable(Type.String(), { description: 'Base64.' })),
      }),
      { maxItems: 1_000 },
    ),
  ),
  key: Type.Optional(nullable(dataSchema)),
  value: Type.Optional(nullable(dataSchema)),
  timestamp: Type.Optional(
    nullable(Type.String(), { description: 'For example 2026-02-05T19:14:42.000Z. Default: now.' }),
  ),
}

export const produceRequestSchema = Type.Object(recordFields)

export const batchEntrySchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 80 }),
  ...recordFields,
})

export type ProduceRequest = ResourceOf<typeof produceRequestSchema>
export type DataType = 'BINARY' | 'JSON' | 'STRING'
type Data = ResourceOf<typeof dataSchema>

/** A record encoded as bytes, with the types for the response. */
export interface ReadRecord {
  readonly record: ProducerRecord & { readonly timestampMs: number }
  readonly keyType: DataType | undefined
  readonly valueType: DataType | undefined
}

const validate = bodyValidator(produceRequestSchema)
/** The latest time of a Date. */
const maxTimestampMs = 8_640_000_000_000_000
const dateTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/

/** Fails with a RestError that says what is invalid in the record. */
export function readRecordText(text: Buffer, nowMs: number): ReadRecord {
  const checked = validate(parseText(text))
  if ('error' in checked) throw checked.error
  return readRecord(checked.value as ProduceRequest, nowMs)
}

/** Fails with a RestError if the text is not JSON. */
export function parseText(text: Buffer): unknown {
  try {
    return parseExactly(text.toString())
  } catch (error) {
    throw invalid(`the body is not JSON: ${(error as Error).message}`, 'send JSON objects', error)
  }
}

export function readRecord(request: ProduceRequest, nowMs: number): ReadRecord {
  const { partition_id: partition, headers = [], timestamp } = request
  return {
    record: {
      key: bytesOf('key', request.key),
      value: bytesOf('value', request.value),
      headers: headers.map(({ name, value }, index) => ({
        key: name,
        value: typeof value === 'string' ? base64(`headers/${index}/value`, value) : null,
      })),
      timestampMs: typeof timestamp === 'string' ? milliseconds(timestamp) : nowMs,
      ...(typeof partition === 'number' ? { partition } : {}),
    },
    keyType: typeOf(request.key),
    valueType: typeOf(request.value),
  }
}

function bytesOf(name: string, content: Data | null | undefined): Buffer | null {
  const { type, data } = content ?? {}
  if (type !== undefined && typeOf(content) === undefined) throw needsRegistry(name, type)
  if (data === undefined || data === null) return null
  if (type === undefined) throw needsRegistry(name, 'no type')
  if (type === 'JSON') return jsonBytes(name, data)
  if (typeof data !== 'string') {
    throw invalid(
      `${name}/data is not a string`,
      `give a string for the type ${type}, or the type JSON`,
    )
  }
  return type === 'BINARY' ? base64(`${name}/data`, data) : Buffer.from(data)
}

/** A value that could be parsed may still be nested too deeply to be serialized. */
function jsonBytes(name: string, data: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(data))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw invalid(`${name}/data is nested too deeply`, 'send it as a STRING', error)
  }
}

/** Undefined for no type and for types that need a schema registry. */
function typeOf(content: Data | null | undefined): DataType | undefined {
  const { type } = content ?? {}
  return type === 'BINARY' || type === 'JSON' || type === 'STRING' ? type : undefined
}

function needsRegistry(name: string, type: string): RestError {
  return invalid(
    `${name} has ${type}, which needs a schema registry; there is none`,
    'use one of the types BINARY, JSON, STRING',
  )
}

function base64(place: string, text: string): Buffer {
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
  if (isBase64) return Buffer.from(text, 'base64')
  throw invalid(`${place} is not base64`, 'encode the bytes as base64, with padding')
}

function milliseconds(text: string): number {
  const ms = dateTime.test(text) ? Date.parse(text) : Number.NaN
  if (ms >= 0 && ms <= maxTimestampMs) return ms
  throw invalid(
    'timestamp is not an ISO 8601 time since 1970',
    'use the format 2026-02-05T19:14:42.000Z',
  )
}

function invalid(message: string, action: string, cause?: unknown): RestError {
  return new RestError(400, 'INVALID_RECORD', message, action, cause)
}
