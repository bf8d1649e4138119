// A cache of the indexes (of one kind) of sealed segments, bounded in bytes. The least recently
// used indexes are evicted first, and loaded from their files again when they are needed.

export class LoadedIndexes<Index extends { readonly sizeInBytes: number }> {
  readonly #maxBytes: number
  /** Least recently used first. Keys are segments. */
  readonly #loaded = new Map<object, Index>()
  readonly #loading = new Map<object, Promise<Index>>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of all cached indexes. */
  get sizeInBytes(): number {
    return this.#bytes
  }

  get(segment: object, load: () => Promise<Index>): Index | Promise<Index> {
    const indexes = this.#loaded.get(segment)
    if (indexes) {
      this.#loaded.delete(segment)
      this.#loaded.set(segment, indexes)
      return indexes
    }
    const underWay = this.#loading.get(segment)
    if (underWay) return underWay
    const loading = this.#load(segment, load)
    this.#loading.set(segment, loading)
    return loading
  }

  put(segment: object, indexes: Index): void {
    this.drop(segment)
    this.#loaded.set(segment, indexes)
    this.#bytes += indexes.sizeInBytes
    for (const oldest of this.#loaded.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === segment) break
      this.drop(oldest)
    }
  }

  /** Evicts the indexes of a segment whose file is closed, or whose entries have changed. */
  drop(segment: object): void {
    this.#loading.delete(segment)
    const indexes = this.#loaded.get(segment)
    if (!indexes) return
    this.#loaded.delete(segment)
    this.#bytes -= indexes.sizeInBytes
  }

  async #load(segment: object, load: () => Promise<Index>): Promise<Index> {
    try {
      const indexes = await load()
      // Dropped during the load: the segment is closed, and the cache must not keep it in memory.
      if (this.#loading.has(segment)) this.put(segment, indexes)
      return indexes
    } finally {
      this.#loading.delete(segment)
    }
  }
}
