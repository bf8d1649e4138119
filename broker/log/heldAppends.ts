// Appends that have to wait before they may even be looked at, in the order in which they came.

import type { AppendOptions, AppendResult } from './appendResult.ts'

interface HeldAppend {
  readonly bytes: Buffer
  readonly options: AppendOptions
  readonly resolve: (result: Promise<AppendResult>) => void
}

export class HeldAppends {
  readonly #held: HeldAppend[] = []

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  /** Resolves with what `admit` says of it later. */
  hold(bytes: Buffer, options: AppendOptions): Promise<AppendResult> {
    return new Promise((resolve) => this.#held.push({ bytes, options, resolve }))
  }

  /** Lets them in one after another, as long as `mayEnter` says so. */
  letIn(
    mayEnter: () => boolean,
    admit: (bytes: Buffer, options: AppendOptions) => Promise<AppendResult>,
  ): void {
    while (this.#held.length > 0 && mayEnter()) {
      const { bytes, options, resolve } = this.#held.shift()!
      resolve(admit(bytes, options))
    }
  }
}
