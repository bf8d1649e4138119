// Which transactions of a log hold back its last stable offset: those that are open, and those
// whose marker consumers cannot read yet, because they would take a transaction for settled whose
// outcome a failover may still take away. A state machine, told of every beginning and end in log
// order.

export class UnstableTransactions {
  /** The first offsets of the open transactions, ascending. */
  readonly #open: number[] = []
  /** Ended above the high watermark, in the order of their markers. */
  readonly #ended: { readonly firstOffset: number; readonly markerOffset: number }[] = []

  /** Where the first transaction begins that is not settled; undefined when all are. */
  get firstOffset(): number | undefined {
    let first = this.#open[0]
    for (const { firstOffset } of this.#ended) {
      if (first === undefined || firstOffset < first) first = firstOffset
    }
    return first
  }

  /** Where the first open transaction begins. */
  get firstOpenOffset(): number | undefined {
    return this.#open[0]
  }

  begin(firstOffset: number): void {
    this.#open.splice(this.#placeOf(firstOffset), 0, firstOffset)
  }

  /** Its marker is at `markerOffset`. */
  end(firstOffset: number, markerOffset: number): void {
    this.takeBack(firstOffset)
    this.#ended.push({ firstOffset, markerOffset })
  }

  /** What began there has not come into the log after all. */
  takeBack(firstOffset: number): void {
    const at = this.#placeOf(firstOffset)
    if (this.#open[at] === firstOffset) this.#open.splice(at, 1)
  }

  /** Consumers can read the markers below the high watermark. */
  settle(highWatermark: number): void {
    const ended = this.#ended
    let settled = 0
    while (settled < ended.length && ended[settled]!.markerOffset < highWatermark) settled++
    if (settled > 0) ended.splice(0, settled)
  }

  /** The number of open transactions that begin below `offset`. */
  #placeOf(offset: number): number {
    let low = 0
    let high = this.#open.length
    // Most begin where the log ends.
    if (high > 0 && this.#open[high - 1]! < offset) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#open[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
