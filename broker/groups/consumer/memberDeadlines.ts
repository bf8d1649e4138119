// The deadlines of the members of one consumer group, in monotonic milliseconds. The group fences a
// member that misses one.

export type DeadlineKind =
  /** The next heartbeat. */
  | 'session'
  /** The revocation of partitions that the member was asked to revoke. */
  | 'rebalance'
  /** The JoinGroup of a classic member that was asked to rejoin. */
  | 'join'
  /** The SyncGroup of a classic member that has joined. */
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

  /** Returns the earliest deadline; Infinity when there is none. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const deadlines of this.#byMember.values()) {
      for (const atMs of deadlines.values()) next = Math.min(next, atMs)
    }
    return next
  }

  /** Returns the members that missed a deadline. */
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
