// A record's value as one JSON document. It is parsed when the row is made: JSON cannot be looked
// into without reading it whole, so there is nothing to put off.

import { createRequire } from 'node:module'
import type { Static, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { canonicalJson } from './canonicalJson.ts'
import type { RowFormat } from './rowFormat.ts'

/**
 * Rows of type `Row`, which the job asserts and nobody checks. A value that is not JSON is a malformed
 * record (RECORD_INVALID), and the source's `onError` says what becomes of it.
 */
export function json<Row>(): RowFormat<Row>
/**
 * Rows that are checked against a JSON Schema of typebox, from which they have their type:
 *
 *     import { Type } from 'typebox'
 *     json(Type.Object({ user: Type.String(), age: Type.Integer() }))  ->  row.age
 *
 * A value that does not fit is a malformed record, whose error says where in the value and why. Nothing is
 * converted, and no default is filled in.
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

/** Loaded for schemas alone: the threads of other jobs are not to wait for it when they start. */
function compiler(): typeof import('typebox/compile') {
  return createRequire(import.meta.url)('typebox/compile') as typeof import('typebox/compile')
}

function parse<Row>(bytes: Buffer, start: number, end: number): Row {
  const document = bytes.toString('utf8', start, end)
  try {
    return JSON.parse(document) as Row
  } catch (cause) {
    // The scanner adds which record it is and what it holds.
    throw new MalformedError('the value is not JSON', { cause })
  }
}

/** Names the first problem: its path and the rule, which are of the schema and not of the value. */
function doesNotFit(validator: Validator, value: unknown): MalformedError {
  const [problem] = validator.Errors(value)
  if (problem === undefined) return new MalformedError('the value does not fit the schema')
  const path = problem.instancePath === '' ? 'the value' : `${problem.instancePath} of the value`
  return new MalformedError(`${path} does not fit the schema: it ${problem.message}`)
}
