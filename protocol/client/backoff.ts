// How long to wait before trying again: doubling up to a bound, with jitter, so that many clients
// that lost the same broker don't come back in the same instant. A plain state machine: it is told
// of failures and successes and never waits by itself.

import type { Random } from '../runtime/random.ts'

export interface BackoffOptions {
  readonly initialMs: number
  readonly maxMs: number
}

/** Each delay is drawn from 80 to 120 percent of its nominal value, as in Kafka's clients. */
const jitter = 0.2

export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: Random
  #failures = 0

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options
    this.#random = random
  }

  /** Notes a failure; returns the milliseconds to wait before the next try. */
  failed(): number {
    const { initialMs, maxMs } = this.#options
    // The exponent is capped: 2 ** 1024 would be Infinity, and Infinity * 0 is not a delay.
    const nominal = Math.min(maxMs, initialMs * 2 ** Math.min(this.#failures++, 30))
    return Math.min(maxMs, nominal * (1 - jitter + 2 * jitter * this.#random.float()))
  }

  succeeded(): void {
    this.#failures = 0
  }
}
