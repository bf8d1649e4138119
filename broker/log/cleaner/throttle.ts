// Keeps what the cleaner reads and writes below a rate (log.cleaner.io.max.bytes.per.second), so that
// it leaves the disk to produce and fetch.

import { type Clock, sleep } from '../../../protocol/runtime/clock.ts'

export class Throttle {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  /** When everything spent so far has been paid for. */
  #paidAtMs = 0

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
  }

  spend(bytes: number): void {
    const from = Math.max(this.#paidAtMs, this.#clock.monotonicMs())
    this.#paidAtMs = from + (bytes / this.#bytesPerSecond) * 1000
  }

  /** Resolves when more may be spent, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const delayMs = this.#paidAtMs - this.#clock.monotonicMs()
    if (delayMs >= 1) await sleep(this.#clock, delayMs, signal)
  }
}
