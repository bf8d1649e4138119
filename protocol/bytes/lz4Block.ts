// Decodes one LZ4 block into a buffer that already holds the blocks before it, so that linked
// blocks need nothing special. It must never read outside the block or write outside the limits
// it is given, whatever the block says.
//
// A block is a run of sequences: a token (4 bits literal length, 4 bits match length), literals,
// a 2-byte little-endian distance, a match of at least 4 bytes. The last sequence has no match.

import { MalformedError } from './malformed.ts'

const shortestMatch = 4
/** Shorter runs are copied in a loop: a call into native code costs as much as this many bytes. */
const loopBytes = 32

/**
 * Decodes `input[at, end)` to `output` from `position`, at most up to `limit`; matches may reach
 * back to index 0 of `output`. Returns where the output ends.
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
    // A match may overlap what it produces (distance 1 repeats a byte): then only a loop is right.
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
  return new MalformedError('lz4 block cut short')
}

function tooLarge(allowedBytes: number): MalformedError {
  return new MalformedError(`lz4 block expands to more than ${allowedBytes} bytes`)
}
