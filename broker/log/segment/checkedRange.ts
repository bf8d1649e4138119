// The range of a segment file whose checksums were verified recently, at the append or by a read.
// The range is assumed to be in the page cache still, so that not every reader verifies it again.
// An adjacent or overlapping range extends it; any other range replaces it.

/** How long a verified range is trusted. Damage by the disk is detected after that. */
export const believedForMs = 10_000

export class CheckedRange {
  #start = 0
  #end = 0
  /** When the oldest part of the range was verified. */
  #sinceMs = Number.NEGATIVE_INFINITY

  /** `nowMs` is monotonic. */
  covers(start: number, end: number, nowMs: number): boolean {
    return start >= this.#start && end <= this.#end && !this.#isOld(nowMs)
  }

  add(start: number, end: number, nowMs: number): void {
    const touches = start <= this.#end && end >= this.#start
    if (touches && !this.#isOld(nowMs)) {
      this.#start = Math.min(this.#start, start)
      this.#end = Math.max(this.#end, end)
      return
    }
    this.#start = start
    this.#end = end
    this.#sinceMs = nowMs
  }

  #isOld(nowMs: number): boolean {
    return nowMs - this.#sinceMs >= believedForMs
  }
}
