// CSV rows: delimited text. The job names the columns once; a row is a view of its line, with a
// getter per column on a prototype created once per format. Lines are not split: a getter finds and
// decodes its column alone.

import { EngineError } from '../engineError.ts'
import { fieldText } from './fieldText.ts'
import type { RowFormat } from './rowFormat.ts'

export type { RowFormat } from './rowFormat.ts'

/** Names of columns, in order. */
export type CsvColumns = readonly string[]
/** One string per column; `''` when the line has fewer columns. */
export type CsvRow<Columns extends CsvColumns> = { readonly [Name in Columns[number]]: string }

/** Options of `csv`. */
export interface CsvOptions {
  /** One ASCII character; a comma by default. */
  readonly delimiter?: string
}

const quote = 0x22
const carriageReturn = 0x0d

/**
 * Lines of RFC 4180, one a record: a field that begins with a quote ends at the next single quote,
 * and a doubled quote inside stands for one. A carriage return at the end of the line is dropped.
 *
 *     csv(['user', 'action', 'age'])  ->  row.age
 */
export function csv<const Columns extends CsvColumns>(
  columns: Columns,
  options: CsvOptions = {},
): RowFormat<CsvRow<Columns>> {
  const delimiter = options.delimiter ?? ','
  requireDistinct(columns)
  requireDelimiter(delimiter)
  const Row = rowClass(columns, delimiter.charCodeAt(0))
  return {
    name: 'csv',
    describe: () => `csv(${JSON.stringify([columns, delimiter])})`,
    row: (bytes, start, end) => new Row(bytes, start, end) as unknown as CsvRow<Columns>,
  }
}

/** A view of a line. Columns are getters of subclasses, so its own state is private. */
class Line {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number
  // The column that was read last, and its position: jobs mostly read columns from left to right.
  #column = 0
  #position: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
    this.#position = start
  }

  static field(line: Line, column: number, delimiter: number): string {
    const bytes = line.#bytes
    const end = line.#end
    let at = line.#position
    let current = line.#column
    if (column < current) {
      at = line.#start
      current = 0
    }
    for (; current < column; current++) {
      at = fieldEnd(bytes, at, end, delimiter) + 1
      if (at > end) return ''
    }
    line.#column = current
    line.#position = at
    const last = fieldEnd(bytes, at, end, delimiter)
    return at < last && bytes[at] === quote ? unquoted(bytes, at, last) : fieldText(bytes, at, last)
  }
}

/** Creates the row class of one format; all rows share its shape and its getters. */
function rowClass(columns: CsvColumns, delimiter: number): typeof Line {
  class Row extends Line {
    /** For logs, results and other threads, where getters are not visible. */
    toJSON(): object {
      return Object.fromEntries(
        columns.map((name, column) => [name, Line.field(this, column, delimiter)]),
      )
    }
  }
  for (const [column, name] of columns.entries()) {
    Object.defineProperty(Row.prototype, name, {
      get(this: Line) {
        return Line.field(this, column, delimiter)
      },
      enumerable: true,
    })
  }
  return Row
}

/** Returns the index of the delimiter after the field at `at`, or `end`. */
function fieldEnd(bytes: Buffer, at: number, end: number, delimiter: number): number {
  if (at < end && bytes[at] === quote) at = closingQuote(bytes, at, end)
  while (at < end && bytes[at] !== delimiter) at++
  return at
}

/** Returns the index of the quote that closes the one at `at`, or `end`. */
function closingQuote(bytes: Buffer, at: number, end: number): number {
  for (at++; at < end; at++) {
    if (bytes[at] !== quote) continue
    if (at + 1 >= end || bytes[at + 1] !== quote) return at
    at++
  }
  return end
}

/** Decodes a quoted field. Text between its closing quote and the delimiter is kept unchanged. */
function unquoted(bytes: Buffer, at: number, end: number): string {
  const closing = closingQuote(bytes, at, end)
  const text = fieldText(bytes, at + 1, closing).replaceAll('""', '"')
  return closing + 1 < end ? text + fieldText(bytes, closing + 1, end) : text
}

function requireDistinct(columns: CsvColumns): void {
  const twice = columns.find((name, index) => columns.indexOf(name) !== index)
  if (twice === undefined) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `csv: two columns have the name '${twice}'; rename one`,
  )
}

function requireDelimiter(delimiter: string): void {
  if (/^[\x20-\x7e\t]$/.test(delimiter) && delimiter !== '"') return
  const given = JSON.stringify(delimiter)
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `csv: the delimiter ${given} is invalid; use one ASCII character other than a quote`,
  )
}
