// Interesting states that a run has reached, by name, with how often: Antithesis's `sometimes`. A
// simulator proves with them that it reaches what it was made for.

export class Marks {
  readonly #counts = new Map<string, number>()

  reached(mark: string): void {
    this.#counts.set(mark, (this.#counts.get(mark) ?? 0) + 1)
  }

  /** Sorted by name. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1)))
  }
}
