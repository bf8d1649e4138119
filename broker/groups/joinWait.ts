// How long a rebalance waits for members to join. An empty group waits a little for latecomers,
// again after each that came, so that a whole application that starts makes one rebalance and not
// one per process (KIP-134). Knows no member.

export class JoinWait {
  /** Infinity when nobody waits. */
  deadlineMs = Number.POSITIVE_INFINITY
  /** Of the first rebalance: how long it may wait yet, and whether someone came meanwhile. */
  #initial: { remainingMs: number; memberAdded: boolean } | undefined

  /** The wait is for latecomers too: it does not end just because all who are known have joined. */
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

  /** The deadline has passed: true when there is another one, because someone came. */
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
