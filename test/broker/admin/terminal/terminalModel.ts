// A model of a terminal: takes the bytes and returns the rows that a real one would show. Supports
// only the escape sequences of the console, and fails on any other.

import stringWidth from 'string-width'

const control = '\x1b'
const sequences = new RegExp(`^${control}\\[(\\??[\\d;]*)([A-Za-z])`)
const segmenter = new Intl.Segmenter()

export class TerminalModel {
  columns: number
  rows: number
  isAlternate = false
  /** Number of lines that were scrolled out at the top. */
  scrolled = 0
  written = 0
  #cells: string[][] = []
  #row = 0
  #column = 0
  #listeners = new Set<() => void>()

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
    this.#clear()
  }

  on(_event: 'resize', listener: () => void): void {
    this.#listeners.add(listener)
  }

  off(_event: 'resize', listener: () => void): void {
    this.#listeners.delete(listener)
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** Cuts or keeps the content as a real terminal does, and notifies the program. */
  resize(columns: number, rows: number): void {
    const before = this.#cells
    this.columns = columns
    this.rows = rows
    this.#clear()
    this.#cells = this.#cells.map((row, at) =>
      row.map((cell, column) => before[at]?.[column] ?? cell),
    )
    for (const listener of this.#listeners) listener()
  }

  /** The visible rows, without the blanks at their ends. */
  get screen(): string[] {
    return this.#cells.map((row) => row.join('').trimEnd())
  }

  write(text: string): void {
    this.written++
    let rest = text
    while (rest !== '') {
      const sequence = sequences.exec(rest)
      if (sequence) {
        this.#control(sequence[1]!, sequence[2]!)
        rest = rest.slice(sequence[0].length)
        continue
      }
      const [first] = segmenter.segment(rest)
      this.#put(first!.segment)
      rest = rest.slice(first!.segment.length)
    }
  }

  #control(parameters: string, final: string): void {
    const [first = 0, second = 1] = parameters.replace('?', '').split(';').map(Number)
    if (final === 'm') return
    if (final === 'H') {
      this.#row = Math.min(this.rows, Math.max(1, first)) - 1
      this.#column = second - 1
    } else if (final === 'K' && first === 2) this.#cells[this.#row]!.fill(' ')
    else if (final === 'J' && first === 0) {
      this.#cells[this.#row]!.fill(' ', this.#column)
      for (const row of this.#cells.slice(this.#row + 1)) row.fill(' ')
    } else if (parameters === '?1049' && (final === 'h' || final === 'l')) {
      this.isAlternate = final === 'h'
      this.#clear()
    } else throw new Error(`the model does not know ESC [ ${parameters} ${final}`)
  }

  #put(grapheme: string): void {
    if (grapheme === '\n') {
      this.#newline()
      return
    }
    const width = stringWidth(grapheme)
    if (/\p{Cc}/u.test(grapheme))
      throw new Error(`a control character: ${JSON.stringify(grapheme)}`)
    if (this.#column + width > this.columns) this.#newline()
    if (width === 0) return
    this.#cells[this.#row]![this.#column] = grapheme
    if (width === 2) this.#cells[this.#row]![this.#column + 1] = ''
    this.#column += width
  }

  #newline(): void {
    this.#column = 0
    if (this.#row < this.rows - 1) this.#row++
    else {
      this.scrolled++
      this.#cells.shift()
      this.#cells.push(Array(this.columns).fill(' '))
    }
  }

  #clear(): void {
    this.#cells = Array.from({ length: this.rows }, () => Array(this.columns).fill(' '))
    this.#row = 0
    this.#column = 0
  }
}
