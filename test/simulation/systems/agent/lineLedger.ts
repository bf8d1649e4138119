// What was written into the log files, line by line, and what of it an agent owes: the oracle of
// the system `agent`. Every line is unique.
//
// Contract: a line is required once a file channel has it, while a file that matches the file group
// still has it in the end, or as long as an agent runs that has begun to read its file. A line may
// arrive twice only for a reason that decision 21 names.

export interface Line {
  readonly id: number
  readonly text: string
  /** Number of the content that it was written into: a file between two truncations. */
  readonly content: number
}

export class LineLedger {
  readonly #lines: Line[] = []
  readonly #byText = new Map<string, Line>()
  /** Parts of lines that were written in two writes: `idleTimeout` may put them as lines. */
  readonly #pieces = new Map<string, Line>()
  readonly #parts = new Map<Line, readonly [string, string]>()
  /** What a loss of power left of unsynced lines; it may arrive, however often. */
  readonly #fragments = new Set<string>()
  readonly #mayRepeat = new Map<Line, string>()
  readonly #contentMayRepeat = new Map<number, string>()
  /** Lines that each channel has accepted, by the number of the channel. */
  readonly #accepted = new Map<number, Set<Line>>()
  /** Lines of files that the running agent has begun to read before they lost their names. */
  readonly #begun = new Set<Line>()
  #contents = 0

  get lines(): readonly Line[] {
    return this.#lines
  }

  newContent(): number {
    return this.#contents++
  }

  /** `padding`: number of letters, at least 2, by which lines differ in length. */
  newLine(content: number, padding: number): Line {
    const id = this.#lines.length
    const line = { id, text: `<${id}.${'x'.repeat(padding)}.${id}>`, content }
    this.#lines.push(line)
    this.#byText.set(line.text, line)
    return line
  }

  /** Returns where a line is cut in two, so that both parts tell which line they are of. */
  cut(line: Line, share: number): number {
    const start = String(line.id).length + 3
    const end = line.text.length - start
    const at = start + Math.floor((end - start) * share)
    const parts = [line.text.slice(0, at), line.text.slice(at)] as const
    this.#parts.set(line, parts)
    for (const part of parts) this.#pieces.set(part, line)
    return at
  }

  find(text: string): Line | undefined {
    return this.#byText.get(text)
  }

  /** The line of which a text is a part. */
  findPart(text: string): Line | undefined {
    return this.#pieces.get(text)
  }

  partsOf(line: Line): readonly [string, string] | readonly [] {
    return this.#parts.get(line) ?? []
  }

  /** Lines of a file's content; what is none becomes a fragment. */
  parse(content: string): Line[] {
    const found: Line[] = []
    for (const text of content.split('\n')) {
      const line = this.find(text)
      if (line !== undefined) found.push(line)
      else if (text !== '') this.addFragment(text)
    }
    return found
  }

  /** What may arrive too, however often. */
  addFragment(text: string): void {
    this.#fragments.add(text)
  }

  isFragment(text: string): boolean {
    return this.#fragments.has(text)
  }

  /** The lines may arrive more than once, for this reason. */
  mayRepeat(lines: Iterable<Line>, reason: string): void {
    for (const line of lines) this.#mayRepeat.set(line, reason)
  }

  /** All lines of a content may arrive more than once. */
  contentMayRepeat(content: number, reason: string): void {
    this.#contentMayRepeat.set(content, reason)
  }

  reasonToRepeat(line: Line): string | undefined {
    return this.#mayRepeat.get(line) ?? this.#contentMayRepeat.get(line.content)
  }

  accepted(channel: number): ReadonlySet<Line> {
    return this.#accepted.get(channel) ?? new Set()
  }

  /** Whether every channel has accepted one of the lines. */
  isKnown(lines: readonly Line[], channels: number): boolean {
    return Array.from({ length: channels }, (_, channel) => this.accepted(channel)).every(
      (accepted) => lines.some((line) => accepted.has(line)),
    )
  }

  /** The running agent reads the file of the lines to its end, although its name does not match. */
  begin(lines: Iterable<Line>): void {
    for (const line of lines) if (this.reasonToRepeat(line) === undefined) this.#begun.add(line)
  }

  /** The agent has ended. */
  end(): void {
    this.#begun.clear()
  }

  isBegun(line: Line): boolean {
    return this.#begun.has(line)
  }

  accept(channel: number, line: Line): void {
    const lines = this.#accepted.get(channel) ?? new Set()
    this.#accepted.set(channel, lines.add(line))
  }
}
