// Decodes one LZ4 block into a buffer that already contains the preceding blocks, so that linked
// blocks need no special case. Must never read outside of the block or write beyond its limits,
// whatever the block contains.
//
// A block is a sequence of: a token (4 bits literal length, 4 bits match length), literals, a
// 2-byte little-endian distance, a match of at least 4 bytes. The last sequence has no match.

import { MalformedError } from './malformed.ts'

const shortestMatch = 4
/** Shorter runs are copied in a loop: a native call costs as much as this many bytes. */
const loopBytes = 32

/**
 * Decodes `input[at, end)` into `output` from `position` up to at most `limit`; matches may refer
 * back to index 0 of `output`. Returns the end of the output.
 */
export function decodeLz4Block(
  input: Buffer,
  at: number,
  end: number,
  output: Buffer,
  position: number,
  limit: number,
): number {
  let out = position
  while (at < end) {
    const token = input[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more: number
      do {
        if (at >= end) throw cutShort()
        more = input[at++]!
        literals += more
      } while (more === 255)
    }
    if (literals > end - at) throw cutShort()
    if (literals > limit - out) throw tooLarge(limit - position)
    if (literals <= loopBytes) for (let n = literals; n > 0; n--) output[out++] = input[at++]!
    else {
      input.copy(output, out, at, at + literals)
      at += literals
      out += literals
    }
    if (at === end) return out

    if (end - at < 2) throw cutShort()
    const distance = input[at]! | (input[at + 1]! << 8)
    at += 2
    if (distance === 0 || distance > out) throw new MalformedError(`lz4 distance ${distance}`)
    let match = (token & 15) + shortestMatch
    if (match === 15 + shortestMatch) {
      let more: number
      do {
        if (at >= end) throw cutShort()
        more = input[at++]!
        match += more
      } while (more === 255)
    }
    if (match > limit - out) throw tooLarge(limit - position)
    // A match may overlap its own output (distance 1 repeats a byte): only a loop copies that
    // correctly.
    if (match <= loopBytes || distance < match) {
      for (let from = out - distance, n = match; n > 0; n--) output[out++] = output[from++]!
    } else {
      output.copyWithin(out, out - distance, out - distance + match)
      out += match
    }
  }
  throw cutShort()
}

function cutShort(): MalformedError {
  return new MalformedError('truncated lz4 block')
}

function tooLarge(allowedBytes: number): MalformedError {
  return new MalformedError(`lz4 block expands to more than ${allowedBytes} bytes`)
}
