// Waiting of a long poll: until one of some logs has more to read, time is up, or nobody wants the
// answer any more. Begins to listen when it is made, so that what comes while its owner is reading
// is not missed. Never reads a log itself.

import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { PartitionLog } from '../log/partitionLog.ts'

export class FetchWait {
  readonly #timer: Timer | undefined
  readonly #signal: AbortSignal
  readonly #listening: (() => void)[] = []
  #appended = false
  #over: boolean
  #wake: (() => void) | undefined

  constructor(logs: readonly PartitionLog[], clock: Clock, maxWaitMs: number, signal: AbortSignal) {
    this.#signal = signal
    this.#over = maxWaitMs <= 0 || signal.aborted
    if (this.#over) return
    this.#timer = clock.setTimer(maxWaitMs, this.#finish)
    signal.addEventListener('abort', this.#finish)
    for (const log of logs) this.#listening.push(log.onAppend(this.#notice))
  }

  /** Resolves with true when there is more since the last call, with false when waiting is over. */
  async forAppend(): Promise<boolean> {
    if (!this.#appended && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#appended = false
    return !this.#over
  }

  end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#signal.removeEventListener('abort', this.#finish)
    for (const stop of this.#listening) stop()
  }

  #notice = (): void => {
    this.#appended = true
    this.#wake?.()
  }

  #finish = (): void => {
    this.#over = true
    this.#wake?.()
  }
}
