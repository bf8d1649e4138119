// What has to be closed, in the reverse order of the starts: each step closes a part that later
// parts depend on. A step that fails does not keep the others from running, because they release
// locks.

export class ClosingSteps {
  readonly #steps: (() => Promise<unknown>)[] = []

  /** Adds a step, which runs before those added earlier. */
  add(step: () => Promise<unknown>): void {
    this.#steps.push(step)
  }

  /** Runs all steps once. Rejects with the first failure when all have ended. */
  async run(): Promise<void> {
    const failures: unknown[] = []
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      await step().catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0]
  }
}
