// The wait for SyncGroup after a generation has begun: who has not synced yet, until when, and the
// leader's assignment while it is being written. Knows no member but by its id.

export class SyncRound {
  /** When those who have not synced are given up; Infinity while nobody waits. */
  deadlineMs = Number.POSITIVE_INFINITY
  readonly #missing = new Set<string>()
  #assignments: ReadonlyMap<string, Buffer> | undefined

  /** The leader's assignment, from when it is accepted until it is durable. */
  get assignments(): ReadonlyMap<string, Buffer> | undefined {
    return this.#assignments
  }

  begin(deadlineMs: number, memberIds: Iterable<string>): void {
    this.end()
    this.deadlineMs = deadlineMs
    for (const memberId of memberIds) this.#missing.add(memberId)
  }

  /** The member has synced, or is gone. */
  settle(memberId: string): void {
    this.#missing.delete(memberId)
  }

  accept(assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]): void {
    // The request's buffer is a network chunk: what is kept is copied out of it.
    this.#assignments = new Map(
      assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]),
    )
  }

  takeAssignments(): ReadonlyMap<string, Buffer> | undefined {
    const assignments = this.#assignments
    this.#assignments = undefined
    return assignments
  }

  /** The deadline has passed: who has to be given up. */
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
