// The last offset of each key in what is to be cleaned, in memory of a fixed size: of a key only
// its MD5 is kept (as Kafka's SkimpyOffsetMap does), in a flat open-addressing table without an
// object per key. It never grows: when it is full, the cleaning ends at the record that found no
// place.

import { hash } from 'node:crypto'
import { assert } from '../../../protocol/runtime/assert.ts'

const hashWords = 4
/** Of a slot: the hash and the offset. Kafka's slots take as much. */
export const bytesPerSlot = hashWords * 4 + 8
/** Above this, finding a place takes too long (log.cleaner.io.buffer.load.factor). */
const loadFactor = 0.9

export class OffsetMap {
  readonly #slots: number
  readonly #maxKeys: number
  readonly #hashes: Int32Array
  /** One more than the offset, so that memory as it is given means empty. */
  readonly #offsets: Float64Array
  readonly #words = new Int32Array(hashWords)
  #size = 0
  #latestOffset = -1

  /** As large as `maxBytes` allow, and no larger than `expectedKeys` need. */
  constructor(maxBytes: number, expectedKeys: number) {
    const wanted = Math.ceil(expectedKeys / loadFactor) + 1
    this.#slots = Math.max(2, Math.min(Math.floor(maxBytes / bytesPerSlot), wanted))
    this.#maxKeys = Math.max(1, Math.floor(this.#slots * loadFactor))
    this.#hashes = new Int32Array(this.#slots * hashWords)
    this.#offsets = new Float64Array(this.#slots)
  }

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Everything up to here has been taken into account; -1 before anything was. */
  get latestOffset(): number {
    return this.#latestOffset
  }

  /** Notes the key's offset, which must not be below the latest; false when there is no room. */
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

  /** Everything up to `offset` has been taken into account. */
  advance(offset: number): void {
    if (offset > this.#latestOffset) this.#latestOffset = offset
  }

  /** The key's last offset; -1 when it is not there. */
  get(key: Uint8Array): number {
    return this.#offsets[this.#slotOf(key)]! - 1
  }

  /** Where the key is, or the empty slot where it would be put. There always is an empty one. */
  #slotOf(key: Uint8Array): number {
    const words = this.#words
    // As a string it takes a third of the time that it takes as a buffer.
    const digest = hash('md5', key, 'binary')
    for (let word = 0; word < hashWords; word++) words[word] = wordAt(digest, word * 4)
    let slot = 0
    // Each word of the hash is a place to try, before the slots are tried one after another.
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
