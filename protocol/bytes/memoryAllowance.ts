// How much memory what is made of a message may take. An element of two bytes becomes an object of a
// hundred, and a name can be answered with pages, so that the length of a message says little: who
// handles what others have sent gives an allowance, which is charged before there are any objects.

/** What is thrown when more would be taken. */
export class TooCostlyError extends Error {
  readonly code = 'TOO_COSTLY'
}

export class MemoryAllowance {
  readonly limitBytes: number
  #takenBytes = 0
  #isExceeded = false

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** About what has been made so far takes. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  get leftBytes(): number {
    return Math.max(0, this.limitBytes - this.#takenBytes)
  }

  /** Whether more was wanted than there is. */
  get isExceeded(): boolean {
    return this.#isExceeded
  }

  /** `what` is for the message of the TooCostlyError that is thrown when that is more than is left. */
  take(bytes: number, what: string): void {
    this.#takenBytes += bytes
    if (this.#takenBytes <= this.limitBytes) return
    this.#isExceeded = true
    throw new TooCostlyError(`${what} would take more than ${this.limitBytes} bytes of memory`)
  }
}
