// Counts per second between two readings of a counter.

/** Readings closer together than this say little: a batch's worth may lie between two of them. */
const shortestMs = 500

export class Rate {
  readonly #shortestMs: number
  #count: number | undefined
  #timeMs = 0
  /** Null until there are two readings, and after a counter began anew. */
  perSecond: number | null = null

  constructor(leastMs = shortestMs) {
    this.#shortestMs = leastMs
  }

  /** Takes in a reading. The rate begins anew when the counter went back, or the clock. */
  read(count: number, timeMs: number): void {
    const elapsedMs = timeMs - this.#timeMs
    const grown = this.#count === undefined ? -1 : count - this.#count
    const isNew = grown < 0 || elapsedMs < 0
    if (!isNew && elapsedMs < this.#shortestMs) return
    this.perSecond = isNew ? null : (grown / elapsedMs) * 1000
    this.#count = count
    this.#timeMs = timeMs
  }
}
