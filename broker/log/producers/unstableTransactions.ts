// The transactions of a log that hold back its last stable offset: open ones, and ended ones whose
// marker is not below the high watermark yet, because a failover may still remove the marker.
// Sans-IO; receives every start and end in log order.

export class UnstableTransactions {
  /** The first offsets of the open transactions, ascending. */
  readonly #open: number[] = []
  /** Transactions whose marker is at or above the high watermark, in the order of the markers. */
  readonly #ended: { readonly firstOffset: number; readonly markerOffset: number }[] = []

  /** First offset of the earliest unstable transaction; undefined without one. */
  get firstOffset(): number | undefined {
    let first = this.#open[0]
    for (const { firstOffset } of this.#ended) {
      if (first === undefined || firstOffset < first) first = firstOffset
    }
    return first
  }

  /** First offset of the earliest open transaction. */
  get firstOpenOffset(): number | undefined {
    return this.#open[0]
  }

  begin(firstOffset: number): void {
    this.#open.splice(this.#placeOf(firstOffset), 0, firstOffset)
  }

  /** The marker of the transaction is at `markerOffset`. */
  end(firstOffset: number, markerOffset: number): void {
    this.takeBack(firstOffset)
    this.#ended.push({ firstOffset, markerOffset })
  }

  /** The transaction that starts at `firstOffset` was not appended after all. */
  takeBack(firstOffset: number): void {
    const at = this.#placeOf(firstOffset)
    if (this.#open[at] === firstOffset) this.#open.splice(at, 1)
  }

  /** Transactions whose marker is below the high watermark are stable. */
  settle(highWatermark: number): void {
    const ended = this.#ended
    let settled = 0
    while (settled < ended.length && ended[settled]!.markerOffset < highWatermark) settled++
    if (settled > 0) ended.splice(0, settled)
  }

  /** Number of open transactions that start below `offset`. */
  #placeOf(offset: number): number {
    let low = 0
    let high = this.#open.length
    // Most transactions start at the end of the log.
    if (high > 0 && this.#open[high - 1]! < offset) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#open[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
