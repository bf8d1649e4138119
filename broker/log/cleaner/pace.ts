// Limits what the cleaner takes from produce and fetch: of the disk, to
// log.cleaner.io.max.bytes.per.second; of the event loop, by yielding after some milliseconds of
// work.

import { type Clock, sleep } from '../../../protocol/runtime/time/clock.ts'

/** Records processed in one turn of the event loop. */
const recordsPerTurn = 2000

/** Long waits are split, because the limit may be raised meanwhile. */
const longestSleepMs = 1000

export interface PaceLimits {
  /** May change at any time; then it also applies to the bytes already owed. */
  readonly ioMaxBytesPerSecond: number
}

export class Pace {
  readonly #clock: Clock
  readonly #limits: PaceLimits
  /** Bytes read and written beyond the limit, as of `#countedAtMs`. */
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

  /** Awaited before each read; resolves when the limit allows it, or `signal` aborts. */
  async beforeRead(signal: AbortSignal): Promise<void> {
    // During the read the event loop serves others.
    this.#recordsThisTurn = 0
    while (!signal.aborted) {
      const delayMs = this.#delayMs()
      if (delayMs < 1) return
      await sleep(this.#clock, Math.min(delayMs, longestSleepMs), signal)
    }
  }

  /** Awaited before each batch, because the data of one read may be much larger decompressed. */
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
