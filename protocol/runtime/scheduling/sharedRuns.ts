// Merges concurrent requests for a task, by key: one run serves all requests from before it began,
// and one more run serves those that arrive while it runs. Invariant: a request is never served by
// a run that had already begun, because that run may have missed the change that the request is
// about.

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

  /** Resolves when a run that began after this call has completed; fails as that run does. */
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
