// The last offset of each key in the part of a log to be cleaned, in memory of fixed size. Stores
// only the MD5 of a key, as Kafka's SkimpyOffsetMap does, in a flat open-addressing table without
// an object per key. Never grows: when it is full, the cleaning ends at the first record that does
// not fit.

import { hash } from 'node:crypto'
import { assert } from '../../../protocol/runtime/assert.ts'

const hashWords = 4
/** Size of a slot: the hash and the offset, as in Kafka. */
export const bytesPerSlot = hashWords * 4 + 8
/** With a higher load, a lookup takes too long (log.cleaner.io.buffer.load.factor). */
const loadFactor = 0.9

export class OffsetMap {
  readonly #slots: number
  readonly #maxKeys: number
  readonly #hashes: Int32Array
  /** Offset + 1, so that zeroed memory means empty slots. */
  readonly #offsets: Float64Array
  readonly #words = new Int32Array(hashWords)
  #size = 0
  #latestOffset = -1

  /** Uses at most `maxBytes`, and no more than `expectedKeys` need. */
  constructor(maxBytes: number, expectedKeys: number) {
    const wanted = Math.ceil(expectedKeys / loadFactor) + 1
    this.#slots = Math.max(2, Math.min(Math.floor(maxBytes / bytesPerSlot), wanted))
    this.#maxKeys = Math.max(1, Math.floor(this.#slots * loadFactor))
    this.#hashes = new Int32Array(this.#slots * hashWords)
    this.#offsets = new Float64Array(this.#slots)
  }

  /** Number of keys. */
  get size(): number {
    return this.#size
  }

  /** All records up to this offset are in the map; -1 before the first one. */
  get latestOffset(): number {
    return this.#latestOffset
  }

  /**
   * Sets the offset of a key, which must not be below the latest one; returns false if the map is
   * full.
   */
  put(key: Uint8Array, offset: number): boolean {
    assert(offset >= this.#latestOffset, 'offsets are added in ascending order')
    const slot = this.#slotOf(key)
    if (this.#offsets[slot] === 0) {
      if (this.#size === this.#maxKeys) return false
      this.#hashes.set(this.#words, slot * hashWords)
      this.#size++
    }
    this.#offsets[slot] = offset + 1
    this.#latestOffset = offset
    return true
  }

  /** All records up to `offset` are in the map. */
  advance(offset: number): void {
    if (offset > this.#latestOffset) this.#latestOffset = offset
  }

  /** The last offset of the key; -1 without one. */
  get(key: Uint8Array): number {
    return this.#offsets[this.#slotOf(key)]! - 1
  }

  /** The slot of the key, or the empty slot where it belongs. There always is an empty one. */
  #slotOf(key: Uint8Array): number {
    const words = this.#words
    // Hashing to a string takes a third of the time of hashing to a buffer.
    const digest = hash('md5', key, 'binary')
    for (let word = 0; word < hashWords; word++) words[word] = wordAt(digest, word * 4)
    let slot = 0
    // Tries the slot of each word of the hash, then probes linearly.
    for (let word = 0; word < hashWords; word++) {
      slot = (words[word]! >>> 0) % this.#slots
      if (this.#isAt(slot)) return slot
    }
    do slot = (slot + 1) % this.#slots
    while (!this.#isAt(slot))
    return slot
  }

  #isAt(slot: number): boolean {
    if (this.#offsets[slot] === 0) return true
    const at = slot * hashWords
    const hashes = this.#hashes
    const words = this.#words
    return (
      hashes[at] === words[0] &&
      hashes[at + 1] === words[1] &&
      hashes[at + 2] === words[2] &&
      hashes[at + 3] === words[3]
    )
  }
}

/** The 32 bits of the four characters from `at` on, each of which is a byte. */
function wordAt(digest: string, at: number): number {
  return (
    (digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)
  )
}
