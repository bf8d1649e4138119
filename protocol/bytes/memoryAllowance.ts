// The memory that decoding and handling a message may use. An element of two bytes becomes an
// object of a hundred, and a name may be answered with pages, so the length of a message does not
// bound its cost. The handler of untrusted input provides an allowance, which is charged before
// objects are allocated.

import { CodedError } from '../runtime/codedError.ts'

/** Thrown when an allowance is exceeded. */
export class TooCostlyError extends CodedError<'TOO_COSTLY'> {
  constructor(message: string, cause?: unknown) {
    super('TOO_COSTLY', message, cause)
  }
}

export class MemoryAllowance {
  readonly limitBytes: number
  #takenBytes = 0
  #isExceeded = false

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** Approximate bytes charged so far. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  get leftBytes(): number {
    return Math.max(0, this.limitBytes - this.#takenBytes)
  }

  /** Whether more was requested than the limit. */
  get isExceeded(): boolean {
    return this.#isExceeded
  }

  /** Charges `bytes`. Throws a TooCostlyError that names `what` if the limit is exceeded. */
  take(bytes: number, what: string): void {
    this.#takenBytes += bytes
    if (this.#takenBytes <= this.limitBytes) return
    this.#isExceeded = true
    throw new TooCostlyError(`${what} needs more than ${this.limitBytes} bytes of memory`)
  }
}
