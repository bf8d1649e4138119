// A record's value as one JSON document. It is parsed when the row is made: JSON cannot be looked
// into without reading it whole, so there is nothing to put off.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import type { RowFormat } from './rowFormat.ts'

/**
 * Rows of type `Row`, which the job asserts and nobody checks. A value that is not JSON throws
 * MalformedError, which fails the task: a job that expects such values reads `text()` and parses.
 */
export function json<Row>(): RowFormat<Row> {
  return { name: 'json', describe: () => 'json()', row: parse }
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
