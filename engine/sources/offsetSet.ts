// A set of offsets of one topic partition, one bit each. Lets a task report millions of rejected
// records in little memory, so that records rejected by several tasks count once.

import type { RejectedOffsets } from './scan.ts'

/** Offsets per piece. A sparse set stays small; a dense one costs one bit per offset. */
const pieceOffsets = 8192

export class OffsetSet {
  /** Pieces by their first offset, divided by `pieceOffsets`. */
  readonly #pieces = new Map<number, Uint8Array>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns false when the set already has the offset. */
  add(offset: number): boolean {
    const index = Math.floor(offset / pieceOffsets)
    let piece = this.#pieces.get(index)
    if (!piece) {
      piece = new Uint8Array(pieceOffsets / 8)
      this.#pieces.set(index, piece)
    }
    const bit = offset - index * pieceOffsets
    const mask = 1 << (bit & 7)
    if ((piece[bit >> 3]! & mask) !== 0) return false
    piece[bit >> 3]! |= mask
    this.#size++
    return true
  }

  has(offset: number): boolean {
    const index = Math.floor(offset / pieceOffsets)
    const bit = offset - index * pieceOffsets
    return ((this.#pieces.get(index)?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0
  }

  /** The set in pieces, as tasks report it. */
  report(topic: string, partition: number): RejectedOffsets[] {
    return [...this.#pieces].map(([index, bits]) => {
      return { topic, partition, from: index * pieceOffsets, bits }
    })
  }
}

/** Yields the offsets of a piece in ascending order. */
export function* offsetsOf({ from, bits }: RejectedOffsets): Generator<number, void> {
  for (let at = 0; at < bits.length; at++) {
    const byte = bits[at]!
    if (byte === 0) continue
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) yield from + at * 8 + bit
  }
}
