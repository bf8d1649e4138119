// Appends that wait for the log to accept appends again, in the order of their calls: too many
// bytes are pending, or the log is being truncated. Invariant: the bytes held exceed the bound by
// less than the last append that was held.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { AppendOptions, AppendResult } from './appendResult.ts'

interface HeldAppend {
  readonly bytes: Buffer
  readonly options: AppendOptions
  readonly resolve: (result: Promise<AppendResult>) => void
}

export class HeldAppends {
  readonly #maxBytes: number
  readonly #held: HeldAppend[] = []
  #sizeBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  get isFull(): boolean {
    return this.#sizeBytes >= this.#maxBytes
  }

  get count(): number {
    return this.#held.length
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Resolves with the result of `admit`, once `letIn` has called it. */
  hold(bytes: Buffer, options: AppendOptions): Promise<AppendResult> {
    assert(!this.isFull, 'an append is refused, not held, when too many bytes are held')
    this.#sizeBytes += bytes.length
    return new Promise((resolve) => this.#held.push({ bytes, options, resolve }))
  }

  /** Passes appends to `admit`, in order, while `mayEnter` returns true. */
  letIn(
    mayEnter: () => boolean,
    admit: (bytes: Buffer, options: AppendOptions) => Promise<AppendResult>,
  ): void {
    while (this.#held.length > 0 && mayEnter()) {
      const { bytes, options, resolve } = this.#held.shift()!
      this.#sizeBytes -= bytes.length
      assert(this.#sizeBytes >= 0, 'the size of the held appends is not negative')
      resolve(admit(bytes, options))
    }
  }
}
