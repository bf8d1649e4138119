// Finds lines as Java's BufferedReader does, which Flume's exec source uses: a line ends with a
// newline, a carriage return, or both. A line is a range in the buffer; only an incomplete line is
// copied.

const newline = 0x0a
const carriageReturn = 0x0d

export class LineReader {
  readonly #maxLineBytes: number
  /** The bytes after the last line end. */
  #rest = Buffer.alloc(0)
  /** The last byte was a carriage return: a newline right after it belongs to the same line end. */
  #endsWithReturn = false

  /** Lines longer than `maxLineBytes` are split. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  /** Adds a piece of text; returns the lines that are complete now. */
  add(piece: Buffer): { bytes: Buffer; ranges: Uint32Array; count: number } {
    const skipped = this.#endsWithReturn && piece[0] === newline ? 1 : 0
    if (piece.length > 0) this.#endsWithReturn = piece.at(-1) === carriageReturn
    const fresh = piece.subarray(skipped)
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh])
    const ranges: number[] = []
    let at = 0
    let feedAt = bytes.indexOf(newline)
    let returnAt = bytes.indexOf(carriageReturn)
    while (feedAt >= 0 || returnAt >= 0) {
      const isReturn = returnAt >= 0 && (feedAt < 0 || returnAt < feedAt)
      const lineEnd = isReturn ? returnAt : feedAt
      ranges.push(at, lineEnd)
      at = lineEnd + (isReturn && feedAt === lineEnd + 1 ? 2 : 1)
      if (feedAt >= 0 && feedAt < at) feedAt = bytes.indexOf(newline, at)
      if (returnAt >= 0 && returnAt < at) returnAt = bytes.indexOf(carriageReturn, at)
    }
    if (bytes.length - at >= this.#maxLineBytes) {
      ranges.push(at, bytes.length)
      at = bytes.length
    }
    this.#rest = Buffer.from(bytes.subarray(at))
    return { bytes, ranges: Uint32Array.from(ranges), count: ranges.length / 2 }
  }

  /** Returns the last line, which has no line end; undefined if there is none. */
  end(): Buffer | undefined {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest.length === 0 ? undefined : rest
  }
}
