// A task that many ask for at the same time, under a key: it runs once for all who asked before it
// began, and once more for those who came while it ran. What has begun when one asks never counts for
// it: it may have looked already.

interface Runs {
  underWay: Promise<void>
  next: Promise<void> | undefined
}

export class SharedRuns {
  readonly #run: (key: string) => Promise<void>
  readonly #runs = new Map<string, Runs>()

  constructor(run: (key: string) => Promise<void>) {
    this.#run = run
  }

  /** Resolves when the task has run from beginning to end after this call. */
  ask(key: string): Promise<void> {
    const runs = this.#runs.get(key)
    if (!runs) return this.#begin(key)
    runs.next ??= runs.underWay.catch(() => {}).then(() => this.#begin(key))
    return runs.next
  }

  #begin(key: string): Promise<void> {
    const runs: Runs = { underWay: this.#run(key), next: undefined }
    this.#runs.set(key, runs)
    const ended = () => {
      if (!runs.next) this.#runs.delete(key)
    }
    runs.underWay.then(ended, ended)
    return runs.underWay
  }
}
