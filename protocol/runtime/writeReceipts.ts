// Tells who wrote something to a stream when it has been taken: for streams that only count bytes.
// Each receipt is given once, in the order of the writes, also when what was written is dropped.

interface Receipt {
  readonly endsAtBytes: number
  readonly taken: () => void
}

export class WriteReceipts {
  #writtenBytes = 0
  #takenBytes = 0
  readonly #waiting: Receipt[] = []

  wrote(bytes: number, taken: (() => void) | undefined): void {
    this.#writtenBytes += bytes
    if (taken) this.#waiting.push({ endsAtBytes: this.#writtenBytes, taken })
  }

  took(bytes: number): void {
    this.#takenBytes += bytes
    while (this.#waiting.length > 0 && this.#waiting[0]!.endsAtBytes <= this.#takenBytes) {
      this.#waiting.shift()!.taken()
    }
  }

  dropped(): void {
    this.took(this.#writtenBytes - this.#takenBytes)
  }
}
