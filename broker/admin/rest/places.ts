// The limit of concurrent requests of one kind, over all clients.

import { RestError } from './restError.ts'

/**
 * Slots for concurrent requests. Beyond the limit, requests are refused and not queued: clients
 * retry anyway.
 */
export class Places {
  readonly #most: number
  readonly #what: string
  #taken = 0

  constructor(most: number, what: string) {
    this.#most = most
    this.#what = what
  }

  get taken(): number {
    return this.#taken
  }

  /** Takes a slot and returns the function that releases it; fails with 429 if none is free. */
  take(): () => void {
    if (this.#taken >= this.#most) throw full(this.#most, this.#what)
    this.#taken++
    let isHeld = true
    return () => {
      if (isHeld) this.#taken--
      isHeld = false
    }
  }
}

function full(most: number, what: string): RestError {
  return new RestError(
    429,
    'TOO_MANY_AT_ONCE',
    `too many ${what} in progress: the limit is ${most}`,
    'retry after one of them has ended',
    undefined,
    1,
  )
}
