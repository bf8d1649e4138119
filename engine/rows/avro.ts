// A record's value as one Avro value in binary encoding, without a container file's header: as producers
// write it who know the schema, or name it by its id in a schema registry.

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

/** How values in Avro are read. */
export interface AvroOptions {
  /**
   * The schema that the job reads with, where it is not the one that the values are written with: fields
   * are found by name, missing ones have their default, and those that the reader lacks are left out.
   */
  readonly readerSchema?: AvroSchema
  /**
   * Values begin with the five bytes of a schema registry: a zero, and the id of the schema as a 32-bit
   * integer. The id is not looked up. Given here, it must be the one in the record.
   */
  readonly framed?: boolean | { readonly schemaId: number }
}

const frameBytes = 5
/** Up to here the library turns longs into doubles and floats; beyond, even their sign may change. */
const convertedLongLimit = 2 ** 52

/**
 * Rows of type `Row`, which the job asserts, from values that `schema` describes. Rows are plain: records
 * and maps are objects, bytes and fixed are Buffers of their own. A union's value is there without its
 * branch, unless the branches look alike in JavaScript (int and float): `{ float: 5 }`. A value that is not of
 * the schema, has a long beyond 2^53, or goes on behind its end is a malformed record.
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

/** Most jobs read no Avro: their threads are not to wait for the library when they start. */
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
  throw new EngineError('JOB_GRAPH_INVALID', 'a field of an Avro schema cannot be named __proto__')
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

/** Where the value begins. */
function requireFrame(
  framed: NonNullable<AvroOptions['framed']>,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  if (end - start < frameBytes || bytes[start] !== 0) {
    throw new MalformedError('the value does not begin with a zero and a schema id')
  }
  const schemaId = bytes.readInt32BE(start + 1)
  if (typeof framed === 'object' && schemaId !== framed.schemaId) {
    const expected = framed.schemaId
    throw new MalformedError(`the value is of schema id ${schemaId}, this job reads ${expected}`)
  }
  return start + frameBytes
}
