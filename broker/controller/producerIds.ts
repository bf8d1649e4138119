// Allocates producer ids. Ids are reserved durably in blocks, so most producers cost no write. A
// crash loses the rest of a block; an id is never given twice.
//
// A block that is half used is followed by the next one in the background: new producers can start
// while the metadata cannot be changed, for as long as ids are left.

import { BrokerError } from '../errors.ts'

const blockSize = 1000

export class ProducerIds {
  readonly #reserve: (count: number) => Promise<number>
  #next = 0
  #end = 0
  /** First id of the block after this one; undefined until it is reserved. */
  #following: number | undefined
  #refill: Promise<void> | undefined

  /**
   * `reserve` durably reserves `count` ids, which are never given out again, and returns the first.
   */
  constructor(reserve: (count: number) => Promise<number>) {
    this.#reserve = reserve
  }

  /** Rejects when no id is left and none can be reserved. */
  async next(): Promise<number> {
    while (this.#next === this.#end) {
      if (this.#following === undefined) await this.#takeBlock()
      else this.#begin(this.#following)
    }
    const id = this.#next++
    if (this.#end - this.#next < blockSize / 2) this.prefetch()
    return id
  }

  /** Reserves the following block in the background, so that there are ids during an outage. */
  prefetch(): void {
    if (this.#following !== undefined) return
    this.#takeBlock().catch((error: unknown) => {
      // Whoever needs an id and finds none tries again, and gets the reason.
      if (!(error instanceof BrokerError)) throw error
    })
  }

  #begin(first: number): void {
    this.#next = first
    this.#end = first + blockSize
    this.#following = undefined
  }

  #takeBlock(): Promise<void> {
    this.#refill ??= this.#reserveBlock()
    return this.#refill
  }

  async #reserveBlock(): Promise<void> {
    try {
      this.#following = await this.#reserve(blockSize)
    } finally {
      this.#refill = undefined
    }
  }
}
