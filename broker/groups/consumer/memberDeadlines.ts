// The deadlines of the members of one consumer group; a member that misses one is fenced. Monotonic
// milliseconds.

export type DeadlineKind =
  /** The member has to send a heartbeat. */
  | 'session'
  /** The member has to revoke partitions. */
  | 'rebalance'
  /** A classic member has to join again after it was told of a rebalance. */
  | 'join'
  /** A classic member has to ask for its assignment after it has joined. */
  | 'sync'

export class MemberDeadlines {
  readonly #byMember = new Map<string, Map<DeadlineKind, number>>()

  set(memberId: string, kind: DeadlineKind, atMs: number): void {
    const deadlines = this.#byMember.get(memberId)
    if (deadlines) deadlines.set(kind, atMs)
    else this.#byMember.set(memberId, new Map([[kind, atMs]]))
  }

  setIfAbsent(memberId: string, kind: DeadlineKind, atMs: number): void {
    if (!this.#byMember.get(memberId)?.has(kind)) this.set(memberId, kind, atMs)
  }

  cancel(memberId: string, kind: DeadlineKind): void {
    this.#byMember.get(memberId)?.delete(kind)
  }

  forget(memberId: string): void {
    this.#byMember.delete(memberId)
  }

  /** The next deadline; Infinity without any. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const deadlines of this.#byMember.values()) {
      for (const atMs of deadlines.values()) next = Math.min(next, atMs)
    }
    return next
  }

  /** Members that missed a deadline. */
  expired(nowMs: number): string[] {
    const expired: string[] = []
    for (const [memberId, deadlines] of this.#byMember) {
      for (const atMs of deadlines.values()) {
        if (atMs > nowMs) continue
        expired.push(memberId)
        break
      }
    }
    return expired
  }
}
