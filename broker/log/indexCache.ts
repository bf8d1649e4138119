// The indexes of segments that are no longer appended to, kept in memory up to a number of bytes for
// the whole process: at most 20 bytes for each 4096 of log in use, and never more than the bound, however
// long the log. The least recently used go first; they are read from their files again.

import type { SegmentIndexes } from './segmentIndexes.ts'

const defaultMaxBytes = 64 * 1024 * 1024

export class IndexCache {
  readonly #maxBytes: number
  /** Least recently used first. Keys are segments. */
  readonly #loaded = new Map<object, SegmentIndexes>()
  readonly #loading = new Map<object, Promise<SegmentIndexes>>()
  #bytes = 0

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes
  }

  /** The bytes of all indexes kept. */
  get sizeInBytes(): number {
    return this.#bytes
  }

  get(
    segment: object,
    load: () => Promise<SegmentIndexes>,
  ): SegmentIndexes | Promise<SegmentIndexes> {
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

  put(segment: object, indexes: SegmentIndexes): void {
    this.drop(segment)
    this.#loaded.set(segment, indexes)
    this.#bytes += indexes.sizeInBytes
    for (const oldest of this.#loaded.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === segment) break
      this.drop(oldest)
    }
  }

  /** Forgets a segment: its file is closed, or its entries have changed. */
  drop(segment: object): void {
    this.#loading.delete(segment)
    const indexes = this.#loaded.get(segment)
    if (!indexes) return
    this.#loaded.delete(segment)
    this.#bytes -= indexes.sizeInBytes
  }

  async #load(segment: object, load: () => Promise<SegmentIndexes>): Promise<SegmentIndexes> {
    try {
      const indexes = await load()
      // Dropped meanwhile: the segment is closed, and must not be held by its indexes.
      if (this.#loading.has(segment)) this.put(segment, indexes)
      return indexes
    } finally {
      this.#loading.delete(segment)
    }
  }
}
