// How long a rebalance waits for members to join. The first rebalance of an empty group waits a
// little for further members, and again after each one that joined, so that the start of an
// application causes one rebalance and not one for each of its processes (KIP-134). Knows no
// member.

export class JoinWait {
  /** When the wait ends, in monotonic ms; Infinity when no rebalance waits. */
  deadlineMs = Number.POSITIVE_INFINITY
  /**
   * The wait of an empty group's first rebalance: how long it may still be extended, and whether a
   * member has joined since the last extension.
   */
  #initial: { remainingMs: number; memberAdded: boolean } | undefined

  /**
   * Whether this is an empty group's first wait, which does not end early when all members have
   * joined.
   */
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

  /**
   * Handles the passed deadline. Returns true when the wait was extended because a member joined.
   */
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
