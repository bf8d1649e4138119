// Keeps the cleaner from taking what produce and fetch need: the disk, of which it reads and writes no
// more than log.cleaner.io.max.bytes.per.second, and the event loop, to which it comes back after some
// milliseconds of work.

import { type Clock, sleep } from '../../../protocol/runtime/clock.ts'

/** So many records are looked at in one turn of the event loop. */
const recordsPerTurn = 2000

export class Pace {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  /** When all bytes spent so far have been paid for. */
  #paidAtMs = 0
  #recordsThisTurn = 0

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
  }

  /** So much was read or written. */
  spend(bytes: number): void {
    const from = Math.max(this.#paidAtMs, this.#clock.monotonicMs())
    this.#paidAtMs = from + (bytes / this.#bytesPerSecond) * 1000
  }

  /** To be awaited before each read; resolves when it may be done, or when `signal` aborts. */
  async beforeRead(signal: AbortSignal): Promise<void> {
    // While the disk reads, others have their turn.
    this.#recordsThisTurn = 0
    const delayMs = this.#paidAtMs - this.#clock.monotonicMs()
    if (delayMs >= 1) await sleep(this.#clock, delayMs, signal)
  }

  /** To be awaited before each batch: what was read at once may be much more when decompressed. */
  async beforeBatch(recordCount: number, signal: AbortSignal): Promise<void> {
    if (this.#recordsThisTurn > recordsPerTurn) {
      this.#recordsThisTurn = 0
      await sleep(this.#clock, 0, signal)
    }
    this.#recordsThisTurn += recordCount
  }
}
