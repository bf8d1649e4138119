// What a feed has written and the job has not counted yet, in bytes as the topic stores them. Topics
// that keep a bounded number of bytes would otherwise remove records before they are counted.

/** Most bytes that a record adds to its line: its own fields and the headers `timestamp` and `host`. */
const recordOverheadBytes = 100

interface Mark {
  readonly lines: number
  readonly bytes: number
}

export class FeedBacklog {
  readonly #mostBytes: number
  readonly #countedLines: () => number
  /** Totals after each write whose lines are not all counted. */
  #marks: Mark[] = []
  #written: Mark = { lines: 0, bytes: 0 }
  #countedBytes = 0

  /** `countedLines` returns the lines counted since the feed began. */
  constructor(mostBytes: number, countedLines: () => number) {
    this.#mostBytes = mostBytes
    this.#countedLines = countedLines
  }

  /** Whether another write may go ahead; it may exceed the bound by itself. */
  get hasRoom(): boolean {
    return this.uncountedBytes < this.#mostBytes
  }

  get uncountedBytes(): number {
    const counted = this.#countedLines()
    const open = this.#marks.findIndex(({ lines }) => lines > counted)
    const done = open === -1 ? this.#marks.length : open
    if (done > 0) {
      this.#countedBytes = this.#marks[done - 1]!.bytes
      this.#marks = this.#marks.slice(done)
    }
    return this.#written.bytes - this.#countedBytes
  }

  wrote(lines: number, bytes: number): void {
    this.#written = {
      lines: this.#written.lines + lines,
      bytes: this.#written.bytes + bytes + lines * recordOverheadBytes,
    }
    this.#marks.push(this.#written)
  }
}
