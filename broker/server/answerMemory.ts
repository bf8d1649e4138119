// What one connection holds of the memory for answers: what is read for an answer under way, and
// what has been written and the client has not taken. A client that asks for much and reads nothing
// makes others wait, but never the memory grow.

import { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'
import type { ReadBuffers } from './readBuffers.ts'

/** So much is kept free for one batch of usual size, which every answer may bring whole. */
const smallestReserveBytes = 1024 * 1024

export class AnswerMemory {
  readonly #budget: MemoryBudget
  readonly #buffers: ReadBuffers | undefined
  /** What was read into for the answer under way. */
  #blocks: Buffer[] = []
  #reservedBytes = 0
  #unsentBytes = 0
  #waiting: { readonly room: RoomRequest; readonly giveUp: () => void } | undefined
  #isClosed = false

  /** Without `buffers` what is read is left to the garbage collector. */
  constructor(budget: MemoryBudget, buffers?: ReadBuffers) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /** Written and not taken by the client. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** Whether others wait for what this connection holds, or soon will. */
  get isScarce(): boolean {
    return this.#budget.isExceeded || this.#budget.isWaitedFor
  }

  /**
   * For an answer that tells of each thing it is asked for what the broker has, of one named a thousand
   * times a thousand times: it may not take more than all answers together.
   */
  allowance(): MemoryAllowance {
    return new MemoryAllowance(this.#budget.limitBytes)
  }

  /**
   * Waits until something may be read for an answer: how many bytes, at most `wantedBytes`. Takes
   * the place of what was reserved before. No more than a quarter of what is free is given to one.
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

  /** So much was read: the rest of what was reserved is free again. */
  keep(bytes: number): void {
    if (this.#isClosed) return
    const before = this.#reservedBytes
    this.#reservedBytes = bytes
    if (bytes > before) this.#budget.take(bytes - before)
    else this.#budget.release(before - bytes)
  }

  /** Memory to read into for the answer under way, until it is taken or `reserve` is called again. */
  readonly allocate = (length: number): Buffer => {
    if (!this.#buffers) return Buffer.allocUnsafeSlow(length)
    const block = this.#buffers.take(length)
    this.#blocks.push(block)
    return block.subarray(0, length)
  }

  /** An answer is written. Returns what must be called when the client has taken it. */
  sent(bytes: number): () => void {
    this.#unsentBytes += bytes
    this.#budget.take(bytes)
    this.keep(0)
    const blocks = this.#blocks
    this.#blocks = []
    return () => {
      this.#unsentBytes -= bytes
      this.#budget.release(bytes)
      this.#giveBack(blocks)
    }
  }

  /** Nothing is read for this connection any more. What was sent counts until it is dropped. */
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

  /** Resolves when so many bytes have been taken, or the connection is closed. */
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
