// JSON rows: a record's value is one JSON document, parsed when the row is made. JSON has to be
// read whole to find any field, so lazy decoding would save nothing.

import { createRequire } from 'node:module'
import type { Static, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { canonicalJson } from './canonicalJson.ts'
import type { RowFormat } from './rowFormat.ts'

/**
 * Returns a format with rows of type `Row`, asserted by the job and not checked. A value that is
 * not JSON is a malformed record (RECORD_INVALID), handled by the `onError` of its source.
 */
export function json<Row>(): RowFormat<Row>
/**
 * Returns a format with rows checked against a JSON Schema of typebox, which also gives their type:
 *
 *     import { Type } from 'typebox'
 *     json(Type.Object({ user: Type.String(), age: Type.Integer() }))  ->  row.age
 *
 * A value that does not match is a malformed record; the error gives the path in the value and the
 * rule. Values are not converted, and defaults are not filled in.
 */
export function json<const Schema extends TSchema>(schema: Schema): RowFormat<Static<Schema>>
export function json(schema?: TSchema): RowFormat<unknown> {
  if (schema === undefined) return { name: 'json', describe: () => 'json()', row: parse }
  const validator = compiler().Compile(schema)
  return {
    name: 'json',
    describe: () => `json(${canonicalJson(schema)})`,
    row(bytes, start, end) {
      const value = parse(bytes, start, end)
      if (!validator.Check(value)) throw doesNotFit(validator, value)
      return value
    },
  }
}

/** Loaded lazily: jobs without a schema need not wait for it when a thread starts. */
function compiler(): typeof import('typebox/compile') {
  return createRequire(import.meta.url)('typebox/compile') as typeof import('typebox/compile')
}

function parse<Row>(bytes: Buffer, start: number, end: number): Row {
  const document = bytes.toString('utf8', start, end)
  try {
    return JSON.parse(document) as Row
  } catch (cause) {
    // The scanner adds the record's position and value.
    throw new MalformedError('the value is not JSON', cause)
  }
}

/** Names the first problem by path and rule, which come from the schema and contain no data. */
function doesNotFit(validator: Validator, value: unknown): MalformedError {
  const [problem] = validator.Errors(value)
  if (problem === undefined) return new MalformedError('the value does not match the schema')
  const path = problem.instancePath === '' ? 'the value' : `${problem.instancePath} of the value`
  return new MalformedError(`${path} does not match the schema: it ${problem.message}`)
}
