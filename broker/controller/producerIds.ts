// Hands out producer ids. Ids are reserved durably in blocks, so that most producers cost no write;
// a crash wastes the rest of a block, and never repeats an id.

const blockSize = 1000

export class ProducerIds {
  readonly #reserve: (count: number) => Promise<number>
  #next = 0
  #end = 0
  #refill: Promise<void> | undefined

  /** `reserve` takes that many ids for good and returns the first. */
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
