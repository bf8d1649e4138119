// What of a segment has been compared with its checksums a short while ago, when it came or when it
// was read, and is so taken to be in the system's memory still: it need not be checked for every
// reader. One range of the file, which grows with what is read next to it; who reads elsewhere
// begins a new one.

/** So long what was checked is believed. Damage that a disk does meanwhile shows after that. */
export const believedForMs = 10_000

export class CheckedRange {
  #start = 0
  #end = 0
  /** When the oldest part of it was checked. */
  #sinceMs = Number.NEGATIVE_INFINITY

  /** `nowMs` is monotonic here. */
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
