// Keeps the cleaner from taking what produce and fetch need: the disk, of which it reads and writes
// no more than log.cleaner.io.max.bytes.per.second, and the event loop, to which it comes back
// after some milliseconds of work.

import { type Clock, sleep } from '../../../protocol/runtime/clock.ts'

/** So many records are looked at in one turn of the event loop. */
const recordsPerTurn = 2000

/** A wait is cut into parts of this, because the limit may be raised meanwhile. */
const longestSleepMs = 1000

export interface PaceLimits {
  /** May change at any time, and then counts for what is owed as well. */
  readonly ioMaxBytesPerSecond: number
}

export class Pace {
  readonly #clock: Clock
  readonly #limits: PaceLimits
  /** Bytes read and written that the limit had not allowed for at `#countedAtMs`. */
  #owedBytes = 0
  #countedAtMs = 0
  #recordsThisTurn = 0

  constructor(clock: Clock, limits: PaceLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Counts bytes that were read or written. */
  spend(bytes: number): void {
    this.#payOff()
    this.#owedBytes += bytes
  }

  /** To be awaited before each read; resolves when it may be done, or when `signal` aborts. */
  async beforeRead(signal: AbortSignal): Promise<void> {
    // While the disk reads, others have their turn.
    this.#recordsThisTurn = 0
    while (!signal.aborted) {
      const delayMs = this.#delayMs()
      if (delayMs < 1) return
      await sleep(this.#clock, Math.min(delayMs, longestSleepMs), signal)
    }
  }

  /** To be awaited before each batch: what was read at once may be much more when decompressed. */
  async beforeBatch(recordCount: number, signal: AbortSignal): Promise<void> {
    if (this.#recordsThisTurn > recordsPerTurn) {
      this.#recordsThisTurn = 0
      await sleep(this.#clock, 0, signal)
    }
    this.#recordsThisTurn += recordCount
  }

  #delayMs(): number {
    this.#payOff()
    return (this.#owedBytes / this.#limits.ioMaxBytesPerSecond) * 1000
  }

  #payOff(): void {
    const nowMs = this.#clock.monotonicMs()
    const elapsedMs = nowMs - this.#countedAtMs
    if (elapsedMs <= 0) return
    this.#countedAtMs = nowMs
    const allowedBytes = (elapsedMs / 1000) * this.#limits.ioMaxBytesPerSecond
    this.#owedBytes = Math.max(0, this.#owedBytes - allowedBytes)
  }
}
