// Decides when one connection has been quiet for so long that it is closed: idle for
// connections.max.idle.ms with nothing in flight, stalled in the middle of a request, or stalled in
// the middle of an answer while others wait for its memory. One timer per connection, set to the
// earliest time at which there could be a reason. Timestamps are of the monotonic clock.

import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'

/**
 * How long a client may stall in the middle of a request, or of an answer while memory is scarce,
 * in ms.
 */
const stalledMs = 30_000

/** The work that a connection is in the middle of. */
export interface Unfinished {
  readonly hasPendingRequests: boolean
  /** Part of a request was received, and reading is not paused. */
  readonly isReceiving: boolean
  /** An answer is not read yet by the client, and others wait for its memory. */
  readonly holdsScarceMemory: boolean
}

export interface QuietConnection {
  readonly kind: 'idle' | 'stalled'
  readonly reason: string
}

export class Idleness {
  readonly #clock: Clock
  readonly #unfinished: () => Unfinished
  readonly #onQuiet: (quiet: QuietConnection) => void
  #lastActivityMs: number
  /** When the client last sent something, or when reading resumed. */
  #lastReceivedMs: number
  /** When the client last read part of an answer. */
  #lastTakenMs: number
  #timer: Timer | undefined

  constructor(
    clock: Clock,
    nowMs: number,
    unfinished: () => Unfinished,
    onQuiet: (quiet: QuietConnection) => void,
  ) {
    this.#clock = clock
    this.#unfinished = unfinished
    this.#onQuiet = onQuiet
    this.#lastActivityMs = nowMs
    this.#lastReceivedMs = nowMs
    this.#lastTakenMs = nowMs
  }

  received(nowMs: number): void {
    this.#lastActivityMs = nowMs
    this.#lastReceivedMs = nowMs
  }

  /** Records that reading has resumed: the client could not send before. */
  resumed(nowMs: number): void {
    this.#lastReceivedMs = nowMs
  }

  answered(nowMs: number): void {
    this.#lastActivityMs = nowMs
  }

  /** Records the first answer after the client had read all others. */
  sending(nowMs: number): void {
    this.#lastTakenMs = nowMs
  }

  taken(nowMs: number): void {
    this.#lastTakenMs = nowMs
    this.#lastActivityMs = nowMs
  }

  /** Calls `onQuiet`, at most once, when the connection has been quiet for too long. */
  watch(maxIdleMs: number): void {
    const quiet = this.#quiet(maxIdleMs)
    if (quiet !== undefined) {
      this.#onQuiet(quiet)
      return
    }
    const nextMs = Math.min(maxIdleMs, stalledMs)
    this.#timer = this.#clock.setTimer(nextMs, () => this.watch(maxIdleMs))
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #quiet(maxIdleMs: number): QuietConnection | undefined {
    const { isReceiving, holdsScarceMemory, hasPendingRequests } = this.#unfinished()
    if (isReceiving && this.#sinceMs(this.#lastReceivedMs) >= stalledMs) {
      return { kind: 'stalled', reason: 'request incomplete: the client stopped sending' }
    }
    if (holdsScarceMemory && this.#sinceMs(this.#lastTakenMs) >= stalledMs) {
      return {
        kind: 'stalled',
        reason:
          'response unread: the client stopped reading, and memory for responses is exhausted',
      }
    }
    if (hasPendingRequests || this.#sinceMs(this.#lastActivityMs) < maxIdleMs) return undefined
    return { kind: 'idle', reason: 'no request for connections.max.idle.ms' }
  }

  #sinceMs(pastMs: number): number {
    return this.#clock.monotonicMs() - pastMs
  }
}
