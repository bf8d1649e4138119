// Something that is done again and again, never twice at the same time, until it is stopped.

import type { Clock, Timer } from '../../../protocol/runtime/clock.ts'

export interface PeriodicTaskOptions {
  readonly clock: Clock
  /** Until the first time. */
  readonly delayMs: number
  /** From the end of one time to the next. */
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

  /** Resolves when the time under way has ended; there is no other. */
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
