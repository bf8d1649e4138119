// Text rows: a record's value is one line of text, for logs without columns.

import { fieldText } from './fieldText.ts'
import type { RowFormat } from './rowFormat.ts'

/** A row with the value as text. */
export interface TextRow {
  /** The whole value as UTF-8, decoded at each access. */
  readonly line: string
}

/** Returns a format whose rows have one field, `line`. */
export function text(): RowFormat<TextRow> {
  return {
    name: 'text',
    describe: () => 'text()',
    row: (bytes, start, end) => new TextLine(bytes, start, end),
  }
}

class TextLine implements TextRow {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
  }

  get line(): string {
    return fieldText(this.#bytes, this.#start, this.#end)
  }

  toJSON(): TextRow {
    return { line: this.line }
  }
}
