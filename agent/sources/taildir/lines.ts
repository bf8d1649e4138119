// Finds lines in a chunk of a file. Nothing is copied: a line is where it starts and ends.

const newline = 0x0a
const carriageReturn = 0x0d

export interface Lines {
  /** `[start, end)` of each line, without its line end. */
  readonly ranges: Uint32Array
  readonly count: number
  /** After the last whole line, its line end included. */
  readonly end: number
}

/** Ranges found so far; reused between calls, because how many lines a chunk has is not known. */
let scratch = new Uint32Array(8192)

/** The whole lines of `bytes[start, end)`; a last line without a line end is not among them. */
export function findLines(bytes: Buffer, start: number, end: number): Lines {
  let count = 0
  let at = start
  for (;;) {
    const lineEnd = bytes.indexOf(newline, at)
    if (lineEnd < 0 || lineEnd >= end) break
    if (count * 2 + 2 > scratch.length) scratch = grown(scratch)
    scratch[count * 2] = at
    const hasReturn = lineEnd > at && bytes[lineEnd - 1] === carriageReturn
    scratch[count * 2 + 1] = hasReturn ? lineEnd - 1 : lineEnd
    count++
    at = lineEnd + 1
  }
  return { ranges: scratch.slice(0, count * 2), count, end: at }
}

function grown(ranges: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(ranges.length * 2)
  larger.set(ranges)
  return larger
}
