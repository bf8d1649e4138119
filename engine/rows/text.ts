// A record's value as one line of text: for logs without columns.

import { fieldText } from './fieldText.ts'
import type { RowFormat } from './rowFormat.ts'

/** A value that is text. */
export interface TextRow {
  /** The whole value as UTF-8, decoded each time it is asked for. */
  readonly line: string
}

/** Rows with one field, `line`. */
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
