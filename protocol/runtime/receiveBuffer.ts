// Memory that a socket receives into: blocks, filled from front to back and never used again, so that
// each chunk belongs to who gets it. One block holds many small chunks, and on a busy connection a
// chunk is larger than what a stream would allocate: less allocation, fewer calls, fewer collections.

const smallestBlockBytes = 64 * 1024
/** A chunk that is kept holds its block in memory: no more than this for each. */
const largestBlockBytes = 256 * 1024

export class ReceiveBuffer {
  #block = Buffer.allocUnsafeSlow(smallestBlockBytes)
  #used = 0
  #nextBlockBytes = smallestBlockBytes

  /** Where the next bytes go: at least a quarter of a block. */
  space(): Buffer {
    if (this.#block.length - this.#used < this.#block.length / 4) {
      this.#block = Buffer.allocUnsafeSlow(this.#nextBlockBytes)
      this.#used = 0
    }
    return this.#block.subarray(this.#used)
  }

  /** The first `bytes` of the space given out last have been filled: a view of them. */
  received(bytes: number): Buffer {
    const start = this.#used
    this.#used += bytes
    // More was there than there was room for: the sender is in full flow.
    if (this.#used === this.#block.length) {
      this.#nextBlockBytes = Math.min(2 * this.#block.length, largestBlockBytes)
    }
    return this.#block.subarray(start, this.#used)
  }
}
