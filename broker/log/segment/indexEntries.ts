// A growing array of fixed-size index entries in the bytes of their file, so that loading is one
// read, saving writes only what is new, and a lookup allocates nothing. Entries are big-endian, as
// in Kafka's index files. It must never hold an entry that is out of order: lookups are binary.

const smallestEntries = 64
/** One for all that are empty: there may be thousands. */
const noBytes = Buffer.alloc(0)

export class IndexEntries {
  readonly entryBytes: number
  #bytes: Buffer
  #count: number

  /** Takes over `bytes`, whose length must be a multiple of the entry's. */
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

  /** Makes room for one more entry and returns where in `bytes` it is to be written. */
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

  /** A copy of the bytes of the entries from number `first` on, as the file has them. */
  copyFrom(first: number): Buffer {
    return Buffer.from(this.#bytes.subarray(first * this.entryBytes, this.sizeInBytes))
  }
}
