// The wait for SyncGroup after a generation has begun: which members have not synced yet, until
// when, and the leader's assignment while it is being written. Knows members by their ids only.

export class SyncRound {
  /**
   * When members that have not sent SyncGroup are removed, in monotonic ms; Infinity outside of a
   * round.
   */
  deadlineMs = Number.POSITIVE_INFINITY
  readonly #missing = new Set<string>()
  #assignments: ReadonlyMap<string, Buffer> | undefined

  /** The leader's assignment while it is being written; undefined before and after. */
  get assignments(): ReadonlyMap<string, Buffer> | undefined {
    return this.#assignments
  }

  begin(deadlineMs: number, memberIds: Iterable<string>): void {
    this.end()
    this.deadlineMs = deadlineMs
    for (const memberId of memberIds) this.#missing.add(memberId)
  }

  /** Stops waiting for a member, which has sent SyncGroup or was removed. */
  settle(memberId: string): void {
    this.#missing.delete(memberId)
  }

  accept(assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]): void {
    // Copied: the request's buffer is a chunk of the connection.
    this.#assignments = new Map(
      assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]),
    )
  }

  takeAssignments(): ReadonlyMap<string, Buffer> | undefined {
    const assignments = this.#assignments
    this.#assignments = undefined
    return assignments
  }

  /** Ends the wait at its deadline. Returns the members that have not sent SyncGroup. */
  expire(): readonly string[] {
    const missing = [...this.#missing]
    this.#missing.clear()
    this.deadlineMs = Number.POSITIVE_INFINITY
    return missing
  }

  end(): void {
    this.#missing.clear()
    this.#assignments = undefined
    this.deadlineMs = Number.POSITIVE_INFINITY
  }
}
