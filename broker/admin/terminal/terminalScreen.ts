// Shows the board on a terminal: takes over the screen, draws each line at its row, and restores
// the screen at the end. No drawing depends on an earlier one, so a resize or another writer's
// output is overwritten within a second.

import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { Board } from '../board/board.ts'
import { type TableSize, terminalTable, unbounded } from './terminalTable.ts'

/** Standard output, as this file uses it. */
export interface TerminalOutput {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

export interface ShownBoard {
  /** Stops drawing and restores the screen. A second call has no effect. */
  close(): void
}

export interface BoardOnTerminal {
  readonly board: Board
  readonly clock: Clock
  readonly output: TerminalOutput
  /** Whether `output` is a terminal with cursor addressing. */
  readonly isScreen: boolean
  /** First line: the URL of the page. */
  readonly title: string
  readonly color: boolean
}

const drawMs = 1_000
/** Interval of tables on output that is not a terminal: it keeps all of them. */
const printMs = 10_000
/** Size of a terminal that does not report one. */
const usualSize: TableSize = { columns: 80, rows: 24 }

const control = '\x1b['
const enter = `${control}?1049h`
const leave = `${control}?1049l`
const clearLine = `${control}2K`
const clearBelow = `${control}0J`
const at = (row: number) => `${control}${row};1H`

/** Draws once a second on a terminal; prints a table every 10 s to other output. */
export function showOnTerminal(options: BoardOnTerminal): ShownBoard {
  return options.isScreen ? new Screen(options) : new Printer(options)
}

class Screen implements ShownBoard {
  readonly #options: BoardOnTerminal
  readonly #draw = () => this.draw()
  #timer: Timer | undefined
  #isOpen = true

  constructor(options: BoardOnTerminal) {
    this.#options = options
    options.output.write(enter)
    options.output.on('resize', this.#draw)
    this.#again()
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#timer?.cancel()
    this.#options.output.off('resize', this.#draw)
    this.#options.output.write(leave)
  }

  draw(): void {
    const { output, board, title, color } = this.#options
    const columns = output.columns || usualSize.columns
    const rows = output.rows || usualSize.rows
    const lines = terminalTable(board.picture, title, { columns, rows }, color)
    // No newlines: one in the last row would scroll the first row away.
    const drawn = lines.map((line, index) => `${at(index + 1)}${clearLine}${line}`)
    if (lines.length < rows) drawn.push(`${at(lines.length + 1)}${clearBelow}`)
    output.write(drawn.join(''))
  }

  #again(): void {
    this.#timer = this.#options.clock.setTimer(drawMs, () => this.#again())
    this.draw()
  }
}

class Printer implements ShownBoard {
  readonly #options: BoardOnTerminal
  #timer: Timer

  constructor(options: BoardOnTerminal) {
    this.#options = options
    // The first table is printed early, as a sign of life.
    this.#timer = options.clock.setTimer(drawMs, () => this.#print())
  }

  close(): void {
    this.#timer.cancel()
  }

  #print(): void {
    const { board, clock, output, title } = this.#options
    this.#timer = clock.setTimer(printMs, () => this.#print())
    output.write(`${terminalTable(board.picture, title, unbounded, false).join('\n')}\n\n`)
  }
}

/** Most messages held while the board is shown; older ones are dropped. */
const mostHeld = 1_000

/**
 * Holds log lines while the board is on the same terminal and would overwrite them, and writes them
 * after the board has restored the screen.
 */
export class HeldMessages {
  readonly #output: { write(text: string): unknown }
  readonly #held: string[] = []
  #leftOut = 0
  #isHolding = false

  constructor(output: { write(text: string): unknown }) {
    this.#output = output
  }

  write(text: string): void {
    if (!this.#isHolding) {
      this.#output.write(text)
      return
    }
    this.#held.push(text)
    if (this.#held.length <= mostHeld) return
    this.#held.shift()
    this.#leftOut++
  }

  hold(): void {
    this.#isHolding = true
  }

  release(): void {
    this.#isHolding = false
    if (this.#leftOut > 0) this.#output.write(`(${this.#leftOut} older messages dropped)\n`)
    this.#leftOut = 0
    for (const text of this.#held.splice(0)) this.#output.write(text)
  }
}
