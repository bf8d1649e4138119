// A growing array of fixed-size index entries, in the bytes of their file: loading is one read,
// saving writes only new entries, and a lookup allocates nothing. Entries are big-endian, as in
// Kafka's index files. Must never hold entries that are out of order: lookups are binary searches.

const smallestEntries = 64
/** Shared by all empty indexes, of which there may be thousands. */
const noBytes = Buffer.alloc(0)

export class IndexEntries {
  readonly entryBytes: number
  #bytes: Buffer
  #count: number

  /** Takes over `bytes`, whose length must be a multiple of `entryBytes`. */
  constructor(entryBytes: number, bytes: Buffer = noBytes) {
    this.entryBytes = entryBytes
    this.#bytes = bytes
    this.#count = bytes.length / entryBytes
  }

  get count(): number {
    return this.#count
  }

  get sizeInBytes(): number {
    return this.#count * this.entryBytes
  }

  /**
   * The memory of the entries: entry `i` starts at `i * entryBytes`. Valid until the next `add`.
   */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Adds an entry and returns the position in `bytes` at which the caller writes it. */
  add(): number {
    const at = this.sizeInBytes
    if (at + this.entryBytes > this.#bytes.length) {
      const capacity = Math.max(this.#bytes.length * 2, smallestEntries * this.entryBytes)
      const grown = Buffer.allocUnsafeSlow(capacity)
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#count++
    return at
  }

  truncate(count: number): void {
    if (count < this.#count) this.#count = count
  }

  /** A copy of the bytes of the entries from index `first` on, in the format of the file. */
  copyFrom(first: number): Buffer {
    return Buffer.from(this.#bytes.subarray(first * this.entryBytes, this.sizeInBytes))
  }
}
