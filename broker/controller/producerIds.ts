// Allocates producer ids. Ids are reserved durably in blocks, so most producers cost no write. A
// crash loses the rest of a block; an id is never given twice.

const blockSize = 1000

export class ProducerIds {
  readonly #reserve: (count: number) => Promise<number>
  #next = 0
  #end = 0
  #refill: Promise<void> | undefined

  /**
   * `reserve` durably reserves `count` ids, which are never given out again, and returns the first.
   */
  constructor(reserve: (count: number) => Promise<number>) {
    this.#reserve = reserve
  }

  async next(): Promise<number> {
    while (this.#next === this.#end) {
      this.#refill ??= this.#takeBlock()
      await this.#refill
    }
    return this.#next++
  }

  async #takeBlock(): Promise<void> {
    try {
      this.#next = await this.#reserve(blockSize)
      this.#end = this.#next + blockSize
    } finally {
      this.#refill = undefined
    }
  }
}
