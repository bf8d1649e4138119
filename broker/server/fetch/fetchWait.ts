// Waiting of a long poll: until one of some logs has more to read, time is up, or nobody wants the
// answer any more. Begins to listen when it is made, so that what comes while its owner is reading
// is not missed. Never reads a log itself.

import type { Clock, Timer } from '../../../protocol/runtime/clock.ts'
import type { Partition } from '../../replication/partition.ts'

export class FetchWait {
  readonly #timer: Timer | undefined
  readonly #signal: AbortSignal
  readonly #listening: (() => void)[] = []
  /** The numbers of the partitions with more records since somebody asked. */
  #appended = new Set<number>()
  #over: boolean
  #wake: (() => void) | undefined
  readonly #clock: Clock
  #waitedMs = 0

  /** Partitions are known by their place in the list; where there is none there is nothing to wait for. */
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
      this.#listening.push(partition.onHighWatermark(() => this.#notice(number)))
    }
  }

  /** The numbers of the logs that have more since the last call; undefined when waiting is over. */
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

  /** How long it has been waited for appends. */
  get waitedMs(): number {
    return this.#waitedMs
  }

  end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#signal.removeEventListener('abort', this.#finish)
    for (const stop of this.#listening) stop()
  }

  #notice(number: number): void {
    this.#appended.add(number)
    this.#wake?.()
  }

  #finish = (): void => {
    this.#over = true
    this.#wake?.()
  }
}
