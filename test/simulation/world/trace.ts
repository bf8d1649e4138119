// The trace of a run: every event in a running hash of 64 bits, so that two runs are compared by 16
// characters. With `keep` also the lines themselves, which show where two runs part.

export interface TraceOptions {
  /** Whether the lines are kept; a plan has some ten thousand of them. */
  readonly keep?: boolean
  /** Called with each line, also without `keep`. */
  readonly onLine?: (line: string) => void
}

export class Trace {
  readonly lines: string[] = []
  readonly #options: TraceOptions
  readonly #hasLines: boolean
  readonly #time = new Float64Array(1)
  readonly #timeWords = new Uint32Array(this.#time.buffer)
  #one = 0x811c9dc5
  #other = 0x9747b28c
  #count = 0

  constructor(options: TraceOptions = {}) {
    this.#options = options
    this.#hasLines = options.keep === true || options.onLine !== undefined
  }

  get count(): number {
    return this.#count
  }

  /** The hash of everything so far. */
  get hash(): string {
    return hex(this.#one) + hex(this.#other)
  }

  add(timeMs: number, owner: string, kind: string, detail: string): void {
    this.#count++
    this.#time[0] = timeMs
    this.#word(this.#timeWords[0]!)
    this.#word(this.#timeWords[1]!)
    this.#text(owner)
    this.#text(kind)
    this.#text(detail)
    if (this.#hasLines) this.#line(`${timeMs.toFixed(3)} ${owner} ${kind} ${detail}`)
  }

  #line(line: string): void {
    if (this.#options.keep) this.lines.push(line)
    this.#options.onLine?.(line)
  }

  #text(text: string): void {
    let one = this.#one
    let other = this.#other
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      one = Math.imul(one ^ code, 0x01000193)
      other = Math.imul(other ^ code, 0x5bd1e995)
      other ^= other >>> 15
    }
    this.#one = one
    this.#other = other
    this.#word(text.length)
  }

  #word(word: number): void {
    this.#one = Math.imul(this.#one ^ word ^ (word >>> 16), 0x01000193)
    const mixed = Math.imul(this.#other ^ word, 0x5bd1e995)
    this.#other = mixed ^ (mixed >>> 13)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
