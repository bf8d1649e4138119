// Runs a task periodically, until it is stopped. Never runs it twice at the same time.

import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'

export interface PeriodicTaskOptions {
  readonly clock: Clock
  /** Delay of the first run. */
  readonly delayMs: number
  /** Time from the end of one run to the next. */
  readonly intervalMs: number
  readonly run: () => Promise<void>
  readonly failed: (error: unknown) => void
}

export class PeriodicTask {
  readonly #options: PeriodicTaskOptions
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(options: PeriodicTaskOptions) {
    this.#options = options
    this.#schedule(options.delayMs)
  }

  /** Resolves when the current run has ended; there is no further one. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#running
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#running = this.#options
        .run()
        .catch(this.#options.failed)
        .finally(() => this.#schedule(this.#options.intervalMs))
    })
  }
}
