// The share of one connection in the memory for answers: reserved or read for an answer in
// progress, and written but not yet read by the client. A client that requests much and reads
// nothing makes others wait, but cannot make memory grow. Invariant, asserted: neither amount is
// negative.

import { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'
import type { ReadBuffers } from './readBuffers.ts'

/**
 * Smallest reservation, in bytes: enough for a batch of usual size, which a fetch returns whole.
 */
const smallestReserveBytes = 1024 * 1024

export class AnswerMemory {
  readonly #budget: MemoryBudget
  readonly #buffers: ReadBuffers | undefined
  /** Blocks that hold data of the answer in progress. */
  #blocks: Buffer[] = []
  #reservedBytes = 0
  #unsentBytes = 0
  #waiting: { readonly room: RoomRequest; readonly giveUp: () => void } | undefined
  #isClosed = false

  /** Without `buffers`, blocks are left to the garbage collector. */
  constructor(budget: MemoryBudget, buffers?: ReadBuffers) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /** Bytes that were written and not yet read by the client. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** Whether other connections wait for memory for answers, or soon will. */
  get isScarce(): boolean {
    return this.#budget.isExceeded || this.#budget.isWaitedFor
  }

  /**
   * Returns an allowance for an answer that describes every resource in the request, once for each
   * time it is named. Its limit is the budget of all answers together.
   */
  allowance(): MemoryAllowance {
    return new MemoryAllowance(this.#budget.limitBytes)
  }

  /**
   * Waits for memory to read for an answer. Returns how many bytes may be read: at most
   * `wantedBytes`, and at most a quarter of the free memory. Replaces the previous reservation.
   */
  async reserve(wantedBytes: number): Promise<number> {
    if (this.#isClosed) return 0
    this.keep(0)
    this.#giveBack(this.#blocks)
    this.#blocks = []
    const floorBytes = Math.min(smallestReserveBytes, this.#budget.limitBytes)
    if (this.#budget.isWaitedFor || !this.#budget.hasRoomFor(floorBytes)) {
      await this.#room(floorBytes)
    } else {
      this.#take(floorBytes)
    }
    const shareBytes = Math.floor(this.#budget.availableBytes / 4)
    const bytes = Math.min(wantedBytes, floorBytes + shareBytes)
    this.keep(Math.max(bytes, floorBytes))
    return bytes
  }

  /** Reduces the reservation to the `bytes` that were read. */
  keep(bytes: number): void {
    if (this.#isClosed) return
    assert(bytes >= 0, 'a reservation is not negative')
    const before = this.#reservedBytes
    this.#reservedBytes = bytes
    if (bytes > before) this.#budget.take(bytes - before)
    else this.#budget.release(before - bytes)
  }

  /**
   * Returns a block for data of the answer in progress. It is valid until the client has read the
   * answer, or `reserve` is called again.
   */
  readonly allocate = (length: number): Buffer => {
    if (!this.#buffers) return Buffer.allocUnsafeSlow(length)
    const block = this.#buffers.take(length)
    this.#blocks.push(block)
    return block.subarray(0, length)
  }

  /**
   * Counts an answer that was written. The returned function must be called when the client has
   * read it.
   */
  sent(bytes: number): () => void {
    this.#unsentBytes += bytes
    this.#budget.take(bytes)
    this.keep(0)
    const blocks = this.#blocks
    this.#blocks = []
    return () => {
      this.#unsentBytes -= bytes
      assert(this.#unsentBytes >= 0, 'an answer is released once')
      this.#budget.release(bytes)
      this.#giveBack(blocks)
    }
  }

  /** Ends reservations. Written answers count until the network drops them. */
  close(): void {
    this.keep(0)
    this.#isClosed = true
    this.#waiting?.giveUp()
  }

  #giveBack(blocks: readonly Buffer[]): void {
    for (const block of blocks) this.#buffers?.giveBack(block)
  }

  #take(bytes: number): void {
    if (!this.#isClosed) this.keep(bytes)
  }

  /** Resolves when `neededBytes` were taken from the budget, or the connection was closed. */
  #room(neededBytes: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting = undefined
        resolve()
      }
      const go = () => {
        this.#take(neededBytes)
        done()
      }
      const room = { neededBytes, mayOverdraw: false, go }
      const giveUp = () => {
        this.#budget.leave(room)
        done()
      }
      this.#waiting = { room, giveUp }
      this.#budget.wait(room)
    })
  }
}
