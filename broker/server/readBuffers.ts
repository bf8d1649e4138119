// Blocks of memory that logs are read into, used again when the answer has left, and those that requests
// to append are put together in, used again when they are answered. New memory each time costs more, in
// the kernel and in the garbage collector, than filling it does. A block is given back by its only user,
// or not at all.

/** Smaller reads get memory of their own. */
const smallestBytes = 64 * 1024

export class ReadBuffers {
  readonly #maxKeptBytes: number
  /** Those given back last are at the end: they are in the processor's caches. */
  readonly #free: Buffer[] = []
  #freeBytes = 0

  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes
  }

  /** Bytes of the blocks that nobody uses. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A block of at least `length` bytes, and not much more. */
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

  /** Nobody reads or writes the block any more. The oldest free ones make room for it. */
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
