// A terminal that shows the board: takes over the screen, draws every line at its own row, and gives
// the screen back as it was. Nothing depends on what was drawn before, so neither a changed size nor
// a message of another writer leaves anything behind for longer than a second.

import type { Clock, Timer } from '../../../protocol/runtime/clock.ts'
import type { Board } from '../board/board.ts'
import { type TableSize, terminalTable, unbounded } from './terminalTable.ts'

/** Standard output, as far as this file cares. */
export interface TerminalOutput {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

export interface ShownBoard {
  /** Stops drawing; gives a terminal its former screen back. Calling it again changes nothing. */
  close(): void
}

export interface BoardOnTerminal {
  readonly board: Board
  readonly clock: Clock
  readonly output: TerminalOutput
  /** Whether `output` is a terminal that can put text where it is told to. */
  readonly isScreen: boolean
  /** The first line: where the page is. */
  readonly title: string
  readonly color: boolean
}

const drawMs = 1_000
/** Output that is no terminal keeps every table, so it gets fewer. */
const printMs = 10_000
/** Of a terminal that does not say how large it is. */
const usualSize: TableSize = { columns: 80, rows: 24 }

const control = '\x1b['
const enter = `${control}?1049h`
const leave = `${control}?1049l`
const clearLine = `${control}2K`
const clearBelow = `${control}0J`
const at = (row: number) => `${control}${row};1H`

/** Draws once a second on a terminal; prints now and then to anything else. */
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
    // No newline anywhere: one in the last row would scroll the first one away.
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
    // The first table comes early: it says that something happens.
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

/** Most messages held while the board is on the terminal; older ones make room. */
const mostHeld = 1_000

/**
 * Where log lines go while the board is on the same terminal, which would draw over them: they are
 * held, and written when the board has given the screen back.
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
    if (this.#leftOut > 0) this.#output.write(`(${this.#leftOut} older messages left out)\n`)
    this.#leftOut = 0
    for (const text of this.#held.splice(0)) this.#output.write(text)
  }
}
