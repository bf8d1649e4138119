// What one connection holds of the memory for answers: reserved or read for an answer in progress,
// and written but not yet taken by the client. A client that asks for much and reads nothing makes
// others wait; it cannot make memory grow. Invariant, asserted: neither amount is negative.

import { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'
import type { ReadBuffers } from './readBuffers.ts'

/** The least that is reserved: enough for one batch of usual size, which a fetch returns whole. */
const smallestReserveBytes = 1024 * 1024

export class AnswerMemory {
  readonly #budget: MemoryBudget
  readonly #buffers: ReadBuffers | undefined
  /** Blocks that data for the answer in progress was read into. */
  #blocks: Buffer[] = []
  #reservedBytes = 0
  #unsentBytes = 0
  #waiting: { readonly room: RoomRequest; readonly giveUp: () => void } | undefined
  #isClosed = false

  /** Without `buffers`, memory that is read into is left to the garbage collector. */
  constructor(budget: MemoryBudget, buffers?: ReadBuffers) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /** Bytes written and not taken by the client. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** Whether other connections wait for what this one holds, or soon will. */
  get isScarce(): boolean {
    return this.#budget.isExceeded || this.#budget.isWaitedFor
  }

  /**
   * For an answer that describes every resource the request names, once for each time it is named:
   * a limit on what it takes, as large as the budget of all answers together.
   */
  allowance(): MemoryAllowance {
    return new MemoryAllowance(this.#budget.limitBytes)
  }

  /**
   * Waits for memory to read for an answer, and returns how many bytes may be read: at most
   * `wantedBytes`, and no more than a quarter of what is free. Replaces an earlier reservation.
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

  /** `bytes` were read: the rest of the reservation is released. */
  keep(bytes: number): void {
    if (this.#isClosed) return
    assert(bytes >= 0, 'a reservation is not negative')
    const before = this.#reservedBytes
    this.#reservedBytes = bytes
    if (bytes > before) this.#budget.take(bytes - before)
    else this.#budget.release(before - bytes)
  }

  /**
   * Memory to read into for the answer in progress, valid until it is taken or `reserve` is called
   * again.
   */
  readonly allocate = (length: number): Buffer => {
    if (!this.#buffers) return Buffer.allocUnsafeSlow(length)
    const block = this.#buffers.take(length)
    this.#blocks.push(block)
    return block.subarray(0, length)
  }

  /**
   * Counts an answer that is written. The returned function must be called when the client has
   * taken it.
   */
  sent(bytes: number): () => void {
    this.#unsentBytes += bytes
    this.#budget.take(bytes)
    this.keep(0)
    const blocks = this.#blocks
    this.#blocks = []
    return () => {
      this.#unsentBytes -= bytes
      assert(this.#unsentBytes >= 0, 'an answer is taken once')
      this.#budget.release(bytes)
      this.#giveBack(blocks)
    }
  }

  /** Ends reservations. Answers that were written count until the network drops them. */
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

  /** Resolves when `neededBytes` have been taken from the budget, or the connection is closed. */
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
