// When one connection has been quiet for so long that it is closed: idle for
// connections.max.idle.ms with nothing in flight, or stalled in the middle of a request, or of an
// answer while others wait for its memory. One timer per connection, which looks again when there
// could be a reason at the earliest. Timestamps are of the monotonic clock.

import type { Clock, Timer } from '../../../protocol/runtime/clock.ts'

/** How long a client may stop in the middle of a request, or of an answer when memory is scarce. */
const stalledMs = 30_000

/** What the connection is in the middle of. */
export interface Unfinished {
  readonly hasPendingRequests: boolean
  /** Part of a request has been received, and the broker reads on. */
  readonly isReceiving: boolean
  /** An answer is not taken yet, and others wait for its memory. */
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
  /** When the client last sent something, or could first do so again. */
  #lastReceivedMs: number
  /** When the client last took something of its answers. */
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

  /** The connection is read again after a pause: the client could not send meanwhile. */
  resumed(nowMs: number): void {
    this.#lastReceivedMs = nowMs
  }

  answered(nowMs: number): void {
    this.#lastActivityMs = nowMs
  }

  /** The first answer after all others were taken has been written. */
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
      return { kind: 'stalled', reason: 'a request stopped half way' }
    }
    if (holdsScarceMemory && this.#sinceMs(this.#lastTakenMs) >= stalledMs) {
      return { kind: 'stalled', reason: 'an answer is not read, and memory is scarce' }
    }
    if (hasPendingRequests || this.#sinceMs(this.#lastActivityMs) < maxIdleMs) return undefined
    return { kind: 'idle', reason: 'connections.max.idle.ms are over' }
  }

  #sinceMs(pastMs: number): number {
    return this.#clock.monotonicMs() - pastMs
  }
}
