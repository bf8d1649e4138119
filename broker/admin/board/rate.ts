// The rate of a counter between two readings, per second.

/** Shortest time between readings: one batch more or less would dominate the rate. */
const shortestMs = 500

export class Rate {
  readonly #shortestMs: number
  #count: number | undefined
  #timeMs = 0
  /** Null until there are two readings, and after the counter restarted. */
  perSecond: number | null = null

  constructor(leastMs = shortestMs) {
    this.#shortestMs = leastMs
  }

  /** Adds a reading. Restarts if the counter or the clock went back. */
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
