// The wait of a long poll: until more can be read from one of its partitions, the time is up, or
// the client has disconnected. Listens from its creation, so that records committed while its owner
// reads are not missed. Never reads a log.

import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { Partition } from '../../replication/partition.ts'

export class FetchWait {
  readonly #timer: Timer | undefined
  readonly #signal: AbortSignal
  readonly #listening: (() => void)[] = []
  /** Numbers of the partitions with more records since the last `forAppend`. */
  #appended = new Set<number>()
  #over: boolean
  #wake: (() => void) | undefined
  readonly #clock: Clock
  #waitedMs = 0

  /** Partitions are numbered by their positions in the list. Undefined ones are not waited for. */
  constructor(
    partitions: readonly (Pick<Partition, 'onHighWatermark'> | undefined)[],
    clock: Clock,
    maxWaitMs: number,
    signal: AbortSignal,
  ) {
    this.#signal = signal
    this.#clock = clock
    this.#over = maxWaitMs <= 0 || signal.aborted
    if (this.#over) return
    this.#timer = clock.setTimer(maxWaitMs, this.#finish)
    signal.addEventListener('abort', this.#finish)
    for (const [number, partition] of partitions.entries()) {
      if (!partition) continue
      this.#listening.push(partition.onHighWatermark(() => this.#onAppend(number)))
    }
  }

  /**
   * Waits for more records. Returns the numbers of the partitions that got some since the last
   * call; undefined when the wait is over.
   */
  async forAppend(): Promise<ReadonlySet<number> | undefined> {
    if (this.#appended.size === 0 && !this.#over) {
      const sinceMs = this.#clock.monotonicMs()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#waitedMs += this.#clock.monotonicMs() - sinceMs
    }
    const appended = this.#appended
    this.#appended = new Set()
    return this.#over ? undefined : appended
  }

  /** Time spent waiting so far, in ms. */
  get waitedMs(): number {
    return this.#waitedMs
  }

  end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#signal.removeEventListener('abort', this.#finish)
    for (const stop of this.#listening) stop()
  }

  #onAppend(number: number): void {
    this.#appended.add(number)
    this.#wake?.()
  }

  #finish = (): void => {
    this.#over = true
    this.#wake?.()
  }
}
