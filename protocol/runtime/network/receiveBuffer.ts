// The memory into which a socket receives: blocks that are filled from front to back and never
// reused, so that each chunk belongs to its receiver. A block holds many small chunks, and the
// chunks of a busy connection are larger than those of a Node stream: fewer allocations, calls and
// garbage collections.

const smallestBlockBytes = 64 * 1024
/** Limit on a block, because a chunk that is kept holds its whole block in memory. */
const largestBlockBytes = 256 * 1024

export class ReceiveBuffer {
  #block = Buffer.allocUnsafeSlow(smallestBlockBytes)
  #used = 0
  #nextBlockBytes = smallestBlockBytes

  /** Returns free memory for the next bytes: at least a quarter of a block. */
  space(): Buffer {
    if (this.#block.length - this.#used < this.#block.length / 4) {
      this.#block = Buffer.allocUnsafeSlow(this.#nextBlockBytes)
      this.#used = 0
    }
    return this.#block.subarray(this.#used)
  }

  /** Returns a view of the first `bytes` of the last `space`, which have been filled. */
  received(bytes: number): Buffer {
    const start = this.#used
    this.#used += bytes
    // The block is full, so the connection is busy: the next block is larger.
    if (this.#used === this.#block.length) {
      this.#nextBlockBytes = Math.min(2 * this.#block.length, largestBlockBytes)
    }
    return this.#block.subarray(start, this.#used)
  }
}
