// The `taken` callbacks of writes to a stream that counts its bytes. Each callback is called once,
// in the order of the writes, also when the bytes are dropped.

interface Receipt {
  readonly endsAtBytes: number
  readonly taken: () => void
}

export class WriteReceipts {
  #writtenBytes = 0
  #takenBytes = 0
  readonly #waiting: Receipt[] = []

  /** Registers a write of `bytes`, with its callback. */
  wrote(bytes: number, taken: (() => void) | undefined): void {
    this.#writtenBytes += bytes
    if (taken) this.#waiting.push({ endsAtBytes: this.#writtenBytes, taken })
  }

  /** Calls back the writes whose bytes are all taken, after the next `bytes`. */
  took(bytes: number): void {
    this.#takenBytes += bytes
    while (this.#waiting.length > 0 && this.#waiting[0]!.endsAtBytes <= this.#takenBytes) {
      this.#waiting.shift()!.taken()
    }
  }

  /** Calls back all writes: their bytes were dropped. */
  dropped(): void {
    this.took(this.#writtenBytes - this.#takenBytes)
  }
}
