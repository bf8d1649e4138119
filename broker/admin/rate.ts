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

  /** Takes in a reading. A counter that went back was restarted: its rate begins anew. */
  read(count: number, timeMs: number): void {
    const elapsedMs = timeMs - this.#timeMs
    if (this.#count !== undefined && elapsedMs < this.#shortestMs) return
    const grown = count - (this.#count ?? Number.POSITIVE_INFINITY)
    this.perSecond = grown < 0 ? null : (grown / elapsedMs) * 1000
    this.#count = count
    this.#timeMs = timeMs
  }
}
