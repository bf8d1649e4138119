// Finds lines in a chunk of a file, without copying: a line is a range of bytes.

const newline = 0x0a
const carriageReturn = 0x0d

export interface Lines {
  /** `[start, end)` of each line, without its line end. */
  readonly ranges: Uint32Array
  readonly count: number
  /** Offset after the last complete line, including its line end. */
  readonly end: number
}

/** Buffer for ranges, reused between calls, because the number of lines is not known in advance. */
let scratch = new Uint32Array(8192)

/** Returns the complete lines in `bytes[start, end)`, without a last line that has no line end. */
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
