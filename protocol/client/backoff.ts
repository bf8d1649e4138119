// Exponential backoff with jitter: the delay doubles with each failure up to a limit. Jitter
// spreads the retries of many clients that lost the same broker. A plain state machine: it computes
// delays and never waits itself.

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

  /** Records a failure and returns the delay before the next attempt, in ms. */
  failed(): number {
    const { initialMs, maxMs } = this.#options
    // The exponent is capped: 2 ** 1024 would be Infinity, and Infinity * 0 is not a delay.
    const nominal = Math.min(maxMs, initialMs * 2 ** Math.min(this.#failures++, 30))
    return Math.min(maxMs, nominal * (1 - jitter + 2 * jitter * this.#random.float()))
  }

  /** The next failure starts again at `initialMs`. */
  succeeded(): void {
    this.#failures = 0
  }
}
