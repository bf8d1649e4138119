// What the members of one consumer group have to do by when, or be fenced. Monotonic milliseconds.

export type DeadlineKind =
  /** To be heard of at all. */
  | 'session'
  /** To have given up what it was told to. */
  | 'rebalance'
  /** Of a member of the classic protocol: to join again, once it has been told of a rebalance. */
  | 'join'
  /** The same: to ask for its assignment, once it has joined. */
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

  /** Infinity for never. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const deadlines of this.#byMember.values()) {
      for (const atMs of deadlines.values()) next = Math.min(next, atMs)
    }
    return next
  }

  /** Whoever has missed one. */
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
