// A pool of memory blocks: for log data that is read for an answer, until the answer was sent, and
// for Produce frames that arrive in several chunks, until they are answered. Allocating costs more,
// in the kernel and in the garbage collector, than filling a block does. Contract: a block is
// returned by its only user, or never.

/** Smaller blocks are allocated instead of pooled. */
const smallestBytes = 64 * 1024

export class ReadBuffers {
  readonly #maxKeptBytes: number
  /**
   * The free blocks. The blocks returned last, which are still in the CPU's caches, are at the end.
   */
  readonly #free: Buffer[] = []
  #freeBytes = 0

  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes
  }

  /** Bytes of the free blocks. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** Returns a block of at least `length` bytes, and at most twice as many. */
  take(length: number): Buffer {
    if (length < smallestBytes) return Buffer.allocUnsafeSlow(length)
    const at = this.#free.findLastIndex(
      (block) => block.length >= length && block.length <= 2 * length,
    )
    if (at === -1) return Buffer.allocUnsafeSlow(roundUp(length))
    const [block] = this.#free.splice(at, 1)
    this.#freeBytes -= block!.length
    return block!
  }

  /**
   * Returns a block, to which no reference remains, to the pool. The oldest free blocks make room
   * for it.
   */
  giveBack(block: Buffer): void {
    if (block.length < smallestBytes || block.length > this.#maxKeptBytes) return
    this.#free.push(block)
    this.#freeBytes += block.length
    while (this.#freeBytes > this.#maxKeptBytes) this.#freeBytes -= this.#free.shift()!.length
  }
}

function roundUp(length: number): number {
  return Math.ceil(length / smallestBytes) * smallestBytes
}
