// How long a rebalance waits for members to join. An empty group waits a little for further
// members, again after each that joined, so that an application that starts causes one rebalance
// and not one for each of its processes (KIP-134). Knows no member.

export class JoinWait {
  /** Infinity when no rebalance waits. */
  deadlineMs = Number.POSITIVE_INFINITY
  /**
   * The first rebalance of an empty group: how long it may still be extended, and whether a member
   * joined.
   */
  #initial: { remainingMs: number; memberAdded: boolean } | undefined

  /** The wait does not end early when all known members have joined. */
  get isInitial(): boolean {
    return this.#initial !== undefined
  }

  begin(nowMs: number, timeoutMs: number): void {
    this.deadlineMs = nowMs + timeoutMs
  }

  beginInitial(nowMs: number, delayMs: number, timeoutMs: number): void {
    this.#initial = { remainingMs: Math.max(timeoutMs - delayMs, 0), memberAdded: false }
    this.deadlineMs = nowMs + delayMs
  }

  memberAdded(): void {
    if (this.#initial) this.#initial.memberAdded = true
  }

  /** The deadline has passed: returns true when it was extended because a member joined. */
  extend(nowMs: number, delayMs: number): boolean {
    const initial = this.#initial
    if (!initial?.memberAdded || initial.remainingMs === 0) return false
    const moreMs = Math.min(delayMs, initial.remainingMs)
    initial.remainingMs -= moreMs
    initial.memberAdded = false
    this.deadlineMs = nowMs + moreMs
    return true
  }

  end(): void {
    this.#initial = undefined
    this.deadlineMs = Number.POSITIVE_INFINITY
  }
}
