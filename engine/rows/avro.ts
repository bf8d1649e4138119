// Avro rows: a record's value is one Avro value in binary encoding, without a container file
// header, optionally framed with a schema registry id.

import { createRequire } from 'node:module'
import type { Type } from 'avsc'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { EngineError } from '../engineError.ts'
import { avroCheck } from './avroBytes.ts'
import { exactLong } from './avroLong.ts'
import { plainOf } from './avroPlain.ts'
import { canonicalJson } from './canonicalJson.ts'
import type { RowFormat } from './rowFormat.ts'

/** An Avro schema as JSON, parsed or as text. */
export type AvroSchema = string | object

/** Options of `avro`. */
export interface AvroOptions {
  /**
   * The schema that the job reads with, if it differs from the one that values are written with:
   * fields are matched by name, missing ones get their default, and fields that it lacks are left
   * out.
   */
  readonly readerSchema?: AvroSchema
  /**
   * Whether values start with the five bytes of a schema registry: a zero, and the schema id as a
   * 32-bit integer. The id is not looked up. If `schemaId` is given, each record must have it.
   */
  readonly framed?: boolean | { readonly schemaId: number }
}

const frameBytes = 5
/**
 * Up to this limit the library converts longs to doubles and floats correctly; beyond, even the
 * sign may change.
 */
const convertedLongLimit = 2 ** 52

/**
 * Returns a format with rows of type `Row`, asserted by the job, for values written with `schema`.
 * Rows are plain: records and maps are objects, bytes and fixed are separate Buffers. A union's
 * value has no branch name, unless its branches look alike in JavaScript (int and float): `{ float:
 * 5 }`. A value that does not match the schema, contains a long beyond 2^53, or has trailing bytes
 * is a malformed record.
 */
export function avro<Row>(schema: AvroSchema, options: AvroOptions = {}): RowFormat<Row> {
  const writer = typeOf(schema)
  const reader = options.readerSchema === undefined ? writer : typeOf(options.readerSchema)
  const resolver = reader === writer ? undefined : resolverOf(reader, writer)
  const isConverted = resolver && /"(?:double|float)"/.test(canonicalJson(reader.schema()))
  const check = avroCheck(writer, isConverted ? convertedLongLimit : undefined)
  const plain = plainOf(reader)
  const { framed = false } = options
  const described = canonicalJson([
    writer.schema({ exportAttrs: true }),
    reader === writer ? null : reader.schema({ exportAttrs: true }),
    framed,
  ])
  return {
    name: 'avro',
    describe: () => `avro(${described})`,
    row(bytes, start, end) {
      const from = framed === false ? start : requireFrame(framed, bytes, start, end)
      check(bytes, from, end)
      try {
        return plain(reader.fromBuffer(bytes.subarray(from, end), resolver)) as Row
      } catch (cause) {
        throw new MalformedError(`the value cannot be decoded: ${(cause as Error).message}`, {
          cause,
        })
      }
    },
  }
}

/** Loaded lazily: most jobs read no Avro, and the library slows down the start of a thread. */
function library(): typeof import('avsc') {
  return createRequire(import.meta.url)('avsc') as typeof import('avsc')
}

function typeOf(schema: AvroSchema): Type {
  const avsc = library()
  const registry = { long: exactLong(avsc.types.LongType) }
  let type: Type
  try {
    const isText = typeof schema === 'string' && /^\s*[[{"]/.test(schema)
    type = avsc.Type.forSchema(isText ? JSON.parse(schema) : schema, { registry })
  } catch (error) {
    const message = `not an Avro schema: ${(error as Error).message}`
    throw new EngineError('JOB_GRAPH_INVALID', message, error)
  }
  // A field of this name would become the prototype of the row.
  if (!canonicalJson(type.schema()).includes('"name":"__proto__"')) return type
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    'a field of an Avro schema must not be named __proto__',
  )
}

function resolverOf(reader: Type, writer: Type) {
  try {
    return reader.createResolver(writer)
  } catch (error) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `values of the Avro schema cannot be read with readerSchema: ${(error as Error).message}`,
      error,
    )
  }
}

/** Returns the position of the value after its frame. */
function requireFrame(
  framed: NonNullable<AvroOptions['framed']>,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  if (end - start < frameBytes || bytes[start] !== 0) {
    throw new MalformedError('the value does not start with a zero and a schema id')
  }
  const schemaId = bytes.readInt32BE(start + 1)
  if (typeof framed === 'object' && schemaId !== framed.schemaId) {
    const expected = framed.schemaId
    throw new MalformedError(`the value has schema id ${schemaId}; this job reads ${expected}`)
  }
  return start + frameBytes
}
